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
  /** While a new passkey was asked for, one picked from the autofill list signed in: nothing was registered. */
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
  role: "admin" | "user";
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
  /** How the person proved themselves (RFC 8176). */
  amr: string[];
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
  signal?: AbortSignal;
}

/** Options of {@link Keyhaven.register}. */
export interface RegisterOptions {
  username: string;
  displayName?: string;
  email?: string;
  deviceName?: string;
  authenticatorAttachment?: "platform" | "cross-platform";
  hints?: Hint[];
  captchaToken?: string;
  signal?: AbortSignal;
}

/** Options of {@link Keyhaven.login}. */
export interface LoginOptions {
  /** Absent: any passkey of this site that the browser offers. */
  username?: string;
  /** Where the deployment wants both. */
  password?: string;
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
  /** Creates an account with its first passkey, and signs in. */
  register(options: RegisterOptions): Promise<SignIn>;
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
