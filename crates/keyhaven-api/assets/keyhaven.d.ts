/**
 * Types of `keyhaven.js`, the browser client of a Keyhaven server.
 *
 * Bytes are base64url text without padding, times RFC 3339 text in UTC. Needs the `DOM` library of TypeScript 5.9 or
 * later.
 */

/** Options of {@link Keyhaven}. */
export interface KeyhavenOptions {
  /** Where the API's base path is; relative to the page, or another allowed origin. Default `/`. */
  baseUrl?: string;
  /** Replaces `fetch`, for tests or to add headers. */
  fetch?: typeof globalThis.fetch;
  /** Milliseconds until an unanswered request is a `network_error`. Default 30000. */
  requestTimeout?: number;
  /** The language of mails that a request leads to, such as `de`, or what tells it. Default: the browser's. */
  language?: string | (() => string);
}

/** Codes made in the browser. */
export type ClientErrorCode =
  /** The authenticator already holds a passkey of this account. */
  | "already_registered"
  /** The prompt was closed, timed out, aborted, or had nothing to offer. Not an error to the person. */
  | "cancelled"
  /** An error answer that is not Keyhaven's, such as a proxy's page. */
  | "http_error"
  /** A successful answer that is not JSON. */
  | "invalid_answer"
  /** No answer. */
  | "network_error"
  /** The authenticator cannot do what was asked (algorithm, user verification, resident key). */
  | "not_supported"
  /** Another prompt is open on this page. */
  | "prompt_busy"
  /** The browser failed to run the prompt. */
  | "prompt_failed"
  /** The page's origin may not use the RP ID. */
  | "security_error"
  /** A new account was asked for where somebody is signed in, or a passkey from the autofill list signed in just then. */
  | "signed_in_meanwhile"
  /** No WebAuthn in this browser, or the page is not a secure context. */
  | "webauthn_unsupported";

/** Codes the server answers; the list with causes and cures is `docs/errors.md`. */
export type ServerErrorCode =
  | "account_locked" | "algorithm_not_allowed" | "attestation_invalid" | "attestation_untrusted"
  | "authentication_failed" | "backup_eligibility_changed" | "backup_flags_invalid" | "busy"
  | "ceremony_type_mismatch" | "challenge_mismatch" | "challenge_missing" | "client_key_mismatch"
  | "counter_regression" | "credential_exists" | "credential_not_allowed" | "credential_not_found"
  | "credential_revoked" | "cross_origin_not_allowed" | "email_required" | "extension_not_allowed" | "forbidden"
  | "internal_error" | "invalid_request" | "last_credential" | "malformed_response"
  | "method_not_allowed" | "no_passkeys" | "not_found"
  | "origin_mismatch" | "origin_not_allowed" | "password_required" | "payload_too_large" | "public_key_invalid"
  | "rate_limited" | "rp_id_mismatch" | "session_expired" | "signature_invalid" | "step_up_required"
  | "storage_unavailable" | "top_origin_not_allowed" | "unauthenticated" | "unsupported_algorithm"
  | "unsupported_format" | "unsupported_media_type" | "user_handle_mismatch" | "user_handle_missing"
  | "user_not_found" | "user_presence_missing" | "user_verification_missing" | "username_taken";

/** Stable; new ones may appear, so keep a default branch. */
export type ErrorCode = ClientErrorCode | ServerErrorCode | (string & {});

/** What a {@link KeyhavenError} is made of. */
export interface KeyhavenErrorInit {
  code: ErrorCode;
  status?: number;
  detail?: string;
  translationKey?: string;
  requestId?: string;
  step?: string;
  retryAfter?: number;
  purpose?: StepUpPurpose;
  cause?: unknown;
}

/** Every rejection of this module. */
export class KeyhavenError extends Error {
  constructor(init: KeyhavenErrorInit);
  /** What to branch on. */
  code: ErrorCode;
  /** HTTP status; 0 where there was no answer. */
  status: number;
  /** One English sentence; also `message`. */
  detail: string;
  /** Key of the sentence in a translation table. */
  translationKey: string | undefined;
  /** Quote it to whoever runs the server. */
  requestId: string | undefined;
  /** The WebAuthn step that refused, such as `L3 7.2.12`; only where the server discloses it. */
  step: string | undefined;
  /** Seconds to wait before another attempt. */
  retryAfter: number | undefined;
  /** With `step_up_required`: the purpose to step up for. */
  purpose: StepUpPurpose | undefined;
}

/** An account. */
export interface User {
  id: string;
  /** Public handle, 1 to 50 characters. */
  username: string;
  /** The user name where none was given. */
  displayName: string;
  email?: string;
  emailVerified: boolean;
  /** `admin` administers. */
  role: "user" | "admin";
}

/** What the deployment offers. */
export interface Features {
  /** Mails are sent: addresses can be proven, and accounts recovered by them. */
  mail: boolean;
  /** What accounts are called by. */
  identifier: "username" | "email";
  /** A password alone makes an account and signs in. */
  passwordFallback: boolean;
  /** A sign-in with a passkey asks for the password too. */
  passwordWithPasskey: Demand;
  /** It asks for the client key too. */
  clientKey: Demand;
}

/** Whether something is asked for: never, where the account's owner wants it, always. */
export type Demand = "off" | "by-account" | "required";

/** What guards an account beside its passkeys. */
export interface AccountSecurity {
  /** What its password is good for; `null`: it has none. */
  password: "alone" | "with_passkey" | null;
  /** Its passkeys are asked for a client key, too. */
  clientKey: boolean;
  /** A recovery that waits until its time has come, and that `cancelRecovery()` stops. */
  recovery?: { readyAt: string };
  recoveryCodesLeft: number;
}

/** A passkey, as the server knows it. */
export interface Credential {
  /** base64url credential id. */
  id: string;
  /** The name its owner gave it, 1 to 64 characters. */
  deviceName: string;
  /** Lower-case UUID text; all zero where the authenticator does not say. */
  aaguid: string;
  /** Product name for the AAGUID, where known. */
  authenticatorName: string | null;
  transports: string[];
  /** It may be synced between devices. */
  backupEligible: boolean;
  /** It is synced now. */
  backedUp: boolean;
  attestationFormat: string;
  /** `trusted`, or the attestation type where no trust path was found. */
  attestationTrust: string;
  signCount: number;
  createdAt: string;
  lastUsedAt: string | null;
  userAgent: string | null;
  /** A security key whose PIN is always asked for. */
  pin: boolean;
  /** False: does not sign in. */
  active: boolean;
  /** Why not: `clone_suspended`, until its owner puts it back in use; `clone_revoked`, for good. */
  inactiveReason: "clone_suspended" | "clone_revoked" | null;
}

/** Arguments for the Signal API, each for the method of its name. */
export interface Signals {
  allAcceptedCredentials?: { rpId: string; userId: string; allAcceptedCredentialIds: string[] };
  currentUserDetails?: { rpId: string; userId: string; name: string; displayName: string };
  unknownCredential?: { rpId: string; credentialId: string };
}

/** Answer of {@link Keyhaven.credentials}. */
export interface CredentialList {
  credentials: Credential[];
  /** The domain the passkeys belong to. */
  rpId: string;
  /** base64url user handle inside the passkeys. */
  userId: string;
  signals: Signals;
}

/** A session. */
export interface Session {
  id: string;
  expiresAt: string;
  /** Authenticator assurance level of NIST SP 800-63B, 1 to 3. */
  aal: number;
  /** How the person proved themselves (RFC 8176); `recovery`: not yet, and the session can only add a passkey. */
  amr: string[];
  /** Authentication context class: `phr`, `phrh`. */
  acr?: string;
  authTime: string;
  /** Only where the server issues access tokens. Keep it in memory, never in storage. */
  accessToken?: string;
  tokenType?: string;
}

/** One row of {@link Keyhaven.sessions}. */
export interface SessionInfo extends Session {
  createdAt: string;
  lastSeenAt: string;
  userAgent: string | null;
  ip: string | null;
  /** The session of this page. */
  current: boolean;
}

/** Who is signed in. */
export interface SessionState {
  user: User;
  session: Session;
}

/** Outcome of a registration or sign-in. */
export interface SignIn extends SessionState {
  credential: Credential;
  signals: Signals;
  /** By this the account was recovered: its other passkeys are to be looked at. */
  recovered?: boolean;
  /** A new account's client key: shown now, and never again. */
  clientKey?: string;
  /** Signed in with the passkey of another device (hybrid transport): offer {@link Keyhaven.addPasskey} on this one. */
  crossDevice?: boolean;
  /** A key to look a sentence up by: `message.account_created`, `message.passkey_added`, … */
  translationKey: string;
}

/** Outcome of a sign-in with a password. */
export interface PasswordSignIn extends SessionState {
  /** The account has no passkey: offer {@link Keyhaven.addPasskey}. */
  offerPasskey: boolean;
  /** A key to look a sentence up by. */
  translationKey: string;
}

/** How a recovery stands. */
export interface Recovery {
  /** `pending`: the code is expected; `ready`: can be taken up; `recovered`: a recovery session is open. */
  state: "pending" | "waiting" | "ready" | "recovered" | "ended";
  /** With `waiting`: until when. */
  readyAt?: string;
  translationKey: string;
  /** With `recovered`. */
  user?: User;
  /** With `recovered`. */
  session?: Session;
}

/** A code is on its way to an address. */
export interface AskedProof {
  emailProofId: string;
  expiresAt: string;
  translationKey: string;
}

/** Something that happened to an account. */
export interface AccountEvent {
  id: string;
  at: string;
  /** For example `login.finish`. */
  action: string;
  outcome: "success" | "refused";
  code?: string;
  step?: string;
  credentialId?: string;
  sessionId?: string;
  ip?: string;
  userAgent?: string;
  requestId?: string;
}

/** Answer of {@link Keyhaven.accountEvents}. */
export interface EventList {
  events: AccountEvent[];
  /** `after` of the next page; absent at the end. */
  next?: string;
}

/** One line of {@link Keyhaven.adminUsers}. */
export interface AdminUser extends User {
  state: "active" | "locked";
  hasPasskey: boolean;
  createdAt: string;
  lastLoginAt: string | null;
}

/** Which accounts; at most one of `email`, `id`, `username`, each of them whole: none is found by a part of it. */
export interface AdminUsersQuery {
  email?: string;
  id?: string;
  username?: string;
  /** `next` of the page before. */
  cursor?: string;
  /** 1 to 100. */
  limit?: number;
}

/** Answer of {@link Keyhaven.adminUsers}. */
export interface AdminUsers {
  users: AdminUser[];
  next?: string;
}

/** Answer of {@link Keyhaven.adminUser}. */
export interface AdminUserDetails {
  user: AdminUser;
  credentials: Credential[];
  sessions: SessionInfo[];
  factors: { password: boolean; clientKey: boolean; recoveryCodes: number };
  lock?: { reason: string; at: string };
  enrolmentLink?: { createdAt: string; expiresAt: string };
  recovery?: { readyAt: string };
}

/** Answer of {@link Keyhaven.adminEnrolmentLink}. */
export interface EnrolmentLink {
  /** Shown this once; absent where it was mailed. */
  link?: string;
  mailed: boolean;
  expiresAt: string;
}

/** Answer of {@link Keyhaven.adminVerifyClientKey}. */
export interface ClientKeyVerdict {
  configured: boolean;
  matches: boolean;
  createdAt: string | null;
  lastUsedAt: string | null;
  fingerprint: string | null;
}

/** Which events. */
export interface AdminEventsQuery {
  account?: string;
  action?: string;
  outcome?: "success" | "refused" | "";
  from?: string;
  to?: string;
  cursor?: string;
  limit?: number;
}

/** One line of {@link Keyhaven.adminEvents}. */
export interface AdminEvent {
  id: string;
  at: string;
  action: string;
  outcome: "success" | "refused";
  code: string | null;
  step: string | null;
  account: string | null;
  credential: string | null;
  session: string | null;
  ip: string | null;
  userAgent: string | null;
  requestId: string | null;
  /** Who did it, where that was not the account's owner: an account's id, or `command_line`. */
  actor: string | null;
}

/** Answer of {@link Keyhaven.adminEvents}. */
export interface AdminEvents {
  events: AdminEvent[];
  /** There can be a next page although this one is empty. */
  next?: string;
}

/** A started ceremony. */
export interface Ceremony {
  ceremonyId: string;
  publicKey: PublicKeyCredentialCreationOptionsJSON | PublicKeyCredentialRequestOptionsJSON;
  expiresAt: string;
}

/** Answer of {@link Keyhaven.capabilities}. */
export interface Capabilities {
  /** The API exists. */
  webauthn: boolean;
  /** https, or http on localhost: without it there is no WebAuthn. */
  secureContext: boolean;
  /** Touch ID, Face ID, Windows Hello, Android screen lock. */
  platformAuthenticator: boolean;
  /** Passkeys in the autofill list. */
  conditionalGet: boolean;
  /** Silent upgrade of a password to a passkey. */
  conditionalCreate: boolean;
  /** A phone near by can be used. */
  hybrid: boolean;
  relatedOrigins: boolean;
  /** The Signal API keeps password managers up to date. */
  signal: boolean;
  /** `getClientCapabilities()` as it came; empty where the browser has none. */
  client: Record<string, boolean>;
}

/** Hints of WebAuthn L3. */
export type Hint = "client-device" | "hybrid" | "security-key";

/** Options of {@link Keyhaven.addPasskey}. */
export interface AddPasskeyOptions {
  /** Name of the new passkey in lists. */
  deviceName?: string;
  authenticatorAttachment?: "platform" | "cross-platform";
  hints?: Hint[];
  /** Only with a session a password made in the last 5 minutes. */
  mediation?: "conditional";
  /** A security key whose PIN is always asked for. */
  pin?: boolean;
  signal?: AbortSignal;
}

/** Options of {@link Keyhaven.register}. */
export interface RegisterOptions {
  /** Where accounts are called by names. */
  username?: string;
  displayName?: string;
  email?: string;
  /** Where they are called by addresses: of {@link Keyhaven.requestRegistration}. */
  emailProofId?: string;
  /** With it: the mailed code. */
  emailCode?: string;
  deviceName?: string;
  /** Where a sign-in asks for a password beside the passkey: the one that the account is to have. */
  password?: string;
  /** A security key whose PIN is always asked for. */
  pin?: boolean;
  authenticatorAttachment?: "platform" | "cross-platform";
  hints?: Hint[];
  captchaToken?: string;
  /** The browser is about to ask for the passkey: from then on the mailed code is used up. */
  onPrompt?: () => void;
  signal?: AbortSignal;
}

/** Options of {@link Keyhaven.registerWithPassword}. */
export interface PasswordRegisterOptions {
  username?: string;
  emailProofId?: string;
  emailCode?: string;
  password: string;
  displayName?: string;
  email?: string;
  captchaToken?: string;
  signal?: AbortSignal;
}

/** Options of {@link Keyhaven.loginWithPassword}. */
export interface PasswordLoginOptions {
  username: string;
  password: string;
  captchaToken?: string;
  signal?: AbortSignal;
}

/** Options of {@link Keyhaven.changePassword}. */
export interface PasswordChange {
  password: string;
  /** Where the account has no passkey, or a sign-in asks for both. */
  currentPassword?: string;
  /** Whether it counts only together with a passkey; as before where absent. */
  withPasskey?: boolean;
}

/** Options of {@link Keyhaven.login}. */
export interface LoginOptions {
  /** Absent: any passkey of this site that the browser offers. */
  username?: string;
  /** Where it is asked for beside the passkey (`password_required`). */
  password?: string;
  /** Likewise (`client_key_mismatch`). */
  clientKey?: string;
  captchaToken?: string;
  signal?: AbortSignal;
}

/** Options of {@link Keyhaven.autofill}. */
export interface AutofillOptions {
  onSignIn?: (result: SignIn) => void;
  onError?: (error: KeyhavenError) => void;
  /** The browser has been asked to offer passkeys: the first time, and after each renewal. */
  onOffer?: () => void;
  /** Stops it, like `stop()`. */
  signal?: AbortSignal;
}

/** A running autofill. */
export interface Autofill {
  stop(): void;
  /** Resolves, never rejects, when it signed in, stopped, or is not available here. */
  finished: Promise<void>;
}

/** What a step-up is for. */
export type StepUpPurpose =
  | "action" | "add_passkey" | "admin" | "change_email" | "change_password" | "delete_account" | "delete_passkey"
  | "export";

/** Options of {@link Keyhaven.stepUp}. */
export interface StepUpOptions {
  purpose: StepUpPurpose;
  /** With `purpose: "action"`: the SHA-256 of what is being approved, 32 bytes in base64url. */
  actionHash?: string;
  signal?: AbortSignal;
}

/** Answer of {@link Keyhaven.stepUp}. */
export interface StepUpGrant {
  purpose: StepUpPurpose;
  expiresAt: string;
  /** With `actionHash`: what shows that it was approved, one line of input for `keyhaven verify`. */
  confirmation?: object;
}

/** Answer of {@link Keyhaven.version}. */
export interface Version {
  name: string;
  version: string;
}

/** A Keyhaven server, seen from one page. Make one per page. Every promise rejects with a {@link KeyhavenError}. */
export class Keyhaven {
  constructor(options?: KeyhavenOptions);
  /** What this browser and device can do. Never rejects. */
  capabilities(): Promise<Capabilities>;
  /** What the deployment offers. */
  features(): Promise<Features>;
  /** Creates an account with its first passkey, and signs in. Refused while somebody is signed in. */
  register(options: RegisterOptions): Promise<SignIn>;
  /** Has a code mailed, where accounts are called by addresses. */
  requestRegistration(email: string): Promise<AskedProof>;
  /** Creates an account with a password, and signs in. */
  registerWithPassword(options: PasswordRegisterOptions): Promise<PasswordSignIn>;
  /** Signs in with a password alone. */
  loginWithPassword(options: PasswordLoginOptions): Promise<PasswordSignIn>;
  /** Signs in by name, or with any passkey where `username` is absent. */
  login(options?: LoginOptions): Promise<SignIn>;
  /** Offers passkeys in the list of `<input autocomplete="username webauthn">` until one is used. */
  autofill(options?: AutofillOptions): Autofill;
  /** Adds a passkey to the signed-in account, stepping up where needed. */
  addPasskey(options?: AddPasskeyOptions): Promise<SignIn>;
  /** Proves presence with a passkey, for one purpose. */
  stepUp(options: StepUpOptions): Promise<StepUpGrant>;
  /** Who is signed in, or `null`. */
  session(): Promise<SessionState | null>;
  /** Renews the session cookie; answers a new access token where those are on. */
  refreshSession(): Promise<SessionState>;
  /** Ends this session. */
  signOut(): Promise<void>;
  /** The signed-in account. */
  account(): Promise<User>;
  /** The account's passkeys; also tells the browser which still count. */
  credentials(): Promise<CredentialList>;
  /** Renames a passkey. */
  renameCredential(id: string, deviceName: string): Promise<Credential>;
  /** Puts a suspended passkey back in use, stepping up where needed. */
  reactivateCredential(id: string): Promise<Credential>;
  /** Deletes a passkey, stepping up where needed; `last_credential` for the last way in. */
  deleteCredential(id: string): Promise<void>;
  /** Deletes every passkey, or all but one (a credential id). */
  deleteAllCredentials(options?: { except?: string }): Promise<void>;
  /** Where the account is signed in. */
  sessions(): Promise<SessionInfo[]>;
  /** Ends one session. */
  revokeSession(id: string): Promise<void>;
  /** Ends all sessions but this one, and answers how many. */
  revokeOtherSessions(): Promise<number>;
  /** Ends all sessions, and answers how many. */
  revokeAllSessions(): Promise<number>;
  /** Sets the account's password, stepping up where needed. */
  changePassword(change: PasswordChange): Promise<void>;
  /** Removes it. */
  removePassword(options?: { currentPassword?: string }): Promise<void>;
  /** Makes a client key, stepping up: 32 hexadecimal digits, shown once. */
  makeClientKey(): Promise<string>;
  /** Removes it. */
  removeClientKey(): Promise<void>;
  /** What guards the account beside its passkeys. */
  accountSecurity(): Promise<AccountSecurity>;
  /** Gives the account another name for people to read. */
  changeDisplayName(displayName: string): Promise<User>;
  /** What happened to the account, newest first. */
  accountEvents(options?: { after?: string }): Promise<EventList>;
  /** Everything that is held of the account, stepping up. */
  exportAccount(): Promise<object>;
  /** Deletes the account for good, stepping up. */
  deleteAccount(): Promise<void>;
  /** Proves the address by the token of the mailed link. */
  verifyEmail(token: string): Promise<User>;
  /** Mails that link again. */
  resendEmail(): Promise<void>;
  /** Claims another address, stepping up. */
  changeEmail(email: string): Promise<void>;
  /** Has a recovery code mailed: answers the recovery's id. */
  requestRecovery(email: string): Promise<string>;
  /** Shows that code, or takes up what is ready. */
  verifyRecovery(recoveryId: string, otp?: string): Promise<Recovery>;
  /** Shows one of the account's own recovery codes: nothing waits then. */
  verifyRecoveryCode(recoveryId: string, code: string): Promise<Recovery>;
  /** How a recovery stands. */
  recovery(recoveryId: string): Promise<Recovery>;
  /** Cancels it, by the token of the mailed link or signed in. */
  cancelRecovery(token?: string): Promise<void>;
  /** Makes ten recovery codes, stepping up where needed: shown once. */
  makeRecoveryCodes(): Promise<string[]>;
  /** Uses up an enrolment link: a session that can only add a passkey. */
  redeemEnrolment(token: string): Promise<SessionState>;
  /** For administrators: accounts. These step up for `admin`. */
  adminUsers(query?: AdminUsersQuery): Promise<AdminUsers>;
  adminUser(id: string): Promise<AdminUserDetails>;
  adminLock(id: string, reason: string): Promise<void>;
  adminUnlock(id: string): Promise<void>;
  adminSignOut(id: string): Promise<void>;
  adminRemovePasskey(id: string, credentialId: string, options?: { evenLast?: boolean }): Promise<void>;
  adminEnrolmentLink(id: string, options?: { mail?: boolean }): Promise<EnrolmentLink>;
  adminVerifyClientKey(id: string, candidate: string): Promise<ClientKeyVerdict>;
  adminEvents(query?: AdminEventsQuery): Promise<AdminEvents>;
  /** The sealed audit log as lines of JSON. */
  adminExportAudit(): Promise<string>;
  /** Name and version of the server. */
  version(): Promise<Version>;
}

/** {@link Keyhaven.capabilities} without a server. */
export function capabilities(): Promise<Capabilities>;

/** When a conditional ceremony asked for at `started` (milliseconds) is renewed. */
export function renewalTimes(
  ceremony: Pick<Ceremony, "publicKey" | "expiresAt">,
  started: number,
): { renewAt: number; endAt: number; patient: boolean };

/** Options for `navigator.credentials.create`. */
export function creationOptionsFromJSON(
  json: PublicKeyCredentialCreationOptionsJSON,
): PublicKeyCredentialCreationOptions;

/** Options for `navigator.credentials.get`. */
export function requestOptionsFromJSON(json: PublicKeyCredentialRequestOptionsJSON): PublicKeyCredentialRequestOptions;

/** `RegistrationResponseJSON` or `AuthenticationResponseJSON` of a credential. */
export function credentialToJSON(
  credential: PublicKeyCredential,
): RegistrationResponseJSON | AuthenticationResponseJSON;

/** base64url without padding. */
export function bytesToBase64url(value: ArrayBuffer | ArrayBufferView): string;

/** Bytes of base64url text; throws a `TypeError` for anything else. */
export function base64urlToBytes(text: string): Uint8Array<ArrayBuffer>;
