/**
 * Keyhaven in the browser: passkey registration and sign-in against a Keyhaven server.
 *
 * One file, no dependency, no build step. It talks JSON to the routes of `/openapi.json`, runs the WebAuthn prompts and
 * turns every failure into a {@link KeyhavenError} with a stable `code`. It stores nothing: the session is an HttpOnly
 * cookie that scripts cannot read. Types: `keyhaven.d.ts`, beside this file.
 *
 * ```js
 * import { Keyhaven } from "/assets/keyhaven.js";
 *
 * const keyhaven = new Keyhaven({ baseUrl: "/" });
 * const signedIn = ({ user }) => console.log(`Hello ${user.displayName}`);
 *
 * if (!(await keyhaven.session())) {
 *   keyhaven.autofill({ onSignIn: signedIn }); // needs <input autocomplete="username webauthn">
 * }
 * signIn.onclick = () => keyhaven.login({ username: field.value }).then(signedIn, show);
 * signUp.onclick = () => keyhaven.register({ username: field.value }).then(signedIn, show);
 * const show = (error) => error.code === "cancelled" || alert(error.detail);
 * ```
 *
 * @module keyhaven
 */

/** @typedef {import("./keyhaven.d.ts").SignIn} SignIn */
/** @typedef {import("./keyhaven.d.ts").Ceremony} Ceremony */

/** Codes this module makes itself; all others come from the server (`docs/errors.md`). */
const CLIENT_DETAILS = {
  already_registered: "This authenticator already holds a passkey for this account.",
  cancelled: "The prompt was closed, timed out, or found nothing to offer.",
  http_error: "The server answered with an error that is not one of Keyhaven's.",
  invalid_answer: "The server's answer could not be read.",
  network_error: "The server could not be reached.",
  not_supported: "The authenticator cannot make the kind of passkey that was asked for.",
  prompt_busy: "Another passkey prompt is already open on this page.",
  prompt_failed: "The browser could not run the passkey prompt.",
  security_error: "This page's address may not use passkeys of the configured domain.",
  session_expired: "The session has ended.",
  signed_in_meanwhile: "Somebody is signed in already: no account was made.",
  webauthn_unsupported: "This browser, or this insecure page, has no WebAuthn.",
};

/**
 * Every rejection of this module. Branch on `code`; show `detail` only where you have no sentence of your own.
 */
export class KeyhavenError extends Error {
  /** @param {import("./keyhaven.d.ts").KeyhavenErrorInit} init */
  constructor({ code, status = 0, detail, translationKey, requestId, step, retryAfter, purpose, cause }) {
    const text = detail ?? CLIENT_DETAILS[code] ?? code;
    super(text, cause === undefined ? undefined : { cause });
    this.name = "KeyhavenError";
    this.code = code;
    this.status = status;
    this.detail = text;
    this.translationKey = translationKey;
    this.requestId = requestId;
    this.step = step;
    this.retryAfter = retryAfter;
    this.purpose = purpose;
  }
}

/**
 * A Keyhaven server, seen from one page. Make one per page: it is what keeps two WebAuthn prompts from colliding.
 */
export class Keyhaven {
  /** Absolute, with a trailing slash. */
  #base;
  #fetch;
  #requestTimeout;
  #language;
  /** The last known user, for the Signal API. */
  #user = null;
  /** The running autofill, `{ stop, finished }`. */
  #autofill = null;
  /** The pending conditional `get` and the sign-in it leads to: `{ abort, signedIn }`. */
  #conditional = null;
  /** Logins that would take an autofill sign-in, finished while they wait for it, for their own. */
  #adopters = 0;
  /** Modal flows in progress, and the autofill runs that wait for their end. */
  #holds = 0;
  #waiters = new Set();
  /** Moves whenever a passkey is being made, so that an older list is never signalled as complete. */
  #registrations = 0;
  /** Passkeys that are being made: meanwhile no list is signalled as complete. */
  #making = 0;

  /** @param {import("./keyhaven.d.ts").KeyhavenOptions} [options] */
  constructor({ baseUrl = "/", fetch = globalThis.fetch, requestTimeout = 30_000, language } = {}) {
    const base = new URL(baseUrl, globalThis.location?.href).href;
    this.#base = base.endsWith("/") ? base : `${base}/`;
    this.#fetch = fetch;
    this.#requestTimeout = requestTimeout;
    this.#language = language;
  }

  /**
   * What this browser and device can do. Never rejects. Do not hide passkeys where `platformAuthenticator` is false:
   * security keys and phones still work.
   *
   * @returns {Promise<import("./keyhaven.d.ts").Capabilities>}
   */
  async capabilities() {
    return capabilities();
  }

  /**
   * Creates an account with its first passkey, and signs in. Rejects with `signed_in_meanwhile` where somebody is signed
   * in: {@link Keyhaven#addPasskey} is what adds a passkey to an account.
   *
   * @param {import("./keyhaven.d.ts").RegisterOptions} options
   * @returns {Promise<SignIn>}
   */
  async register(options) {
    const { deviceName, password, signal, onPrompt, ...body } = options;
    return this.#create(body, { deviceName, password, signal, onPrompt, newAccount: true });
  }

  /**
   * Has a code mailed to an address, where accounts are called by theirs: `register({ emailProofId, emailCode })` follows,
   * from this browser. The answer is the same for every address.
   *
   * @param {string} email
   * @returns {Promise<import("./keyhaven.d.ts").AskedProof>}
   */
  async requestRegistration(email) {
    return this.#post("register/start", { email });
  }

  /**
   * Adds a passkey to the account that is signed in; asks for an existing passkey first where the sign-in is not fresh.
   *
   * @param {import("./keyhaven.d.ts").AddPasskeyOptions} [options]
   * @returns {Promise<SignIn>}
   */
  async addPasskey({ deviceName, authenticatorAttachment, hints, mediation, pin, signal } = {}) {
    const body = { authenticatorAttachment, hints, mediation, pin };
    try {
      return await this.#create(body, { deviceName, mediation, signal, stepUp: "add_passkey" });
    } catch (error) {
      // Without a session the same route creates accounts, and misses a name, or an address.
      const missed = error.code === "invalid_request" || error.code === "email_required";
      if (!missed || (await this.session())) throw error;
      throw new KeyhavenError({ code: "session_expired", status: 401, requestId: error.requestId, cause: error });
    }
  }

  /**
   * Signs in with a passkey: by name, or, without `username`, with any passkey the browser offers for this site. Where
   * a passkey from the autofill list is signing in just then, its sign-in is the answer, and `onSignIn` is not called.
   * Where more than the passkey is asked for, rejects with `password_required` or `client_key_mismatch`: call it again,
   * with what is missing.
   *
   * @param {import("./keyhaven.d.ts").LoginOptions} [options]
   * @returns {Promise<SignIn>}
   */
  async login({ username, password, clientKey, captchaToken, signal } = {}) {
    requireWebAuthn();
    return this.#adopting(async (signedIn) => {
      if (signedIn) return signedIn;
      const ceremony = await this.#post("login/start", { username, captchaToken }, { signal });
      const assertion = await promptGet(ceremony.publicKey, { signal });
      const result = await this.#finishLogin(ceremony, assertion, { password, clientKey, signal });
      this.#autofill?.stop();
      return result;
    });
  }

  /**
   * Offers passkeys in the autofill list of the field marked `autocomplete="username webauthn"`, until one is used.
   *
   * Needs no button. Renews its ceremony before it expires, so a page may stay open for hours; rests while the page is
   * hidden; steps aside for `login()` and `register()`, ends when one of them succeeds. `onError` hears refusals of a
   * passkey the person picked, and whatever makes autofill impossible; passing trouble (network, rate limit) is retried
   * in silence. A second call replaces the first.
   *
   * @param {import("./keyhaven.d.ts").AutofillOptions} [options]
   * @returns {import("./keyhaven.d.ts").Autofill}
   */
  autofill({ onSignIn, onError, onOffer, signal } = {}) {
    this.#autofill?.stop();
    const stopper = new AbortController();
    const stop = () => stopper.abort();
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    const finished = this.#runAutofill({ onSignIn, onError, onOffer }, stopper.signal).finally(() => {
      signal?.removeEventListener("abort", stop);
      if (this.#autofill === handle) this.#autofill = null;
    });
    const handle = { stop, finished };
    this.#autofill = handle;
    return handle;
  }

  /**
   * Proves with a passkey of the signed-in account that the person is there, for one purpose. The other methods call it
   * themselves when the server asks for it.
   *
   * @param {import("./keyhaven.d.ts").StepUpOptions} options
   * @returns {Promise<import("./keyhaven.d.ts").StepUpGrant>}
   */
  async stepUp({ purpose, actionHash, signal }) {
    requireWebAuthn();
    return this.#exclusively(async () => {
      const ceremony = await this.#post("step-up/start", { purpose, actionHash }, { signal });
      const credential = await promptGet(ceremony.publicKey, { signal });
      return this.#finishAssertion("step-up/finish", ceremony, credential, { signal });
    });
  }

  /**
   * Who is signed in, or `null`.
   *
   * @returns {Promise<import("./keyhaven.d.ts").SessionState | null>}
   */
  async session() {
    try {
      return this.#remember(await this.#get("session"));
    } catch (error) {
      if (error.code === "unauthenticated" || error.code === "session_expired") return null;
      throw error;
    }
  }

  /**
   * What the deployment offers beside passkeys: what a page need not show a button for.
   *
   * @returns {Promise<import("./keyhaven.d.ts").Features>}
   */
  async features() {
    return this.#get("features");
  }

  /**
   * Renews the session cookie; answers a new access token where those are on.
   *
   * @returns {Promise<import("./keyhaven.d.ts").SessionState>}
   */
  async refreshSession() {
    return this.#remember(await this.#post("session/refresh"));
  }

  /** Ends this session. Signing out while not signed in is no error. */
  async signOut() {
    try {
      await this.#delete("session");
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    this.#user = null;
  }

  /** The account that is signed in. @returns {Promise<import("./keyhaven.d.ts").User>} */
  async account() {
    const user = await this.#get("account");
    this.#user = user;
    return user;
  }

  /**
   * The passkeys of the account, with the RP ID and user handle they carry. Tells the browser's password manager which
   * passkeys still count (Signal API), so that deleted ones are no longer offered.
   *
   * @returns {Promise<import("./keyhaven.d.ts").CredentialList>}
   */
  async credentials() {
    const before = this.#registrations;
    const list = await this.#get("credentials");
    this.#signalSince(before, list);
    return list;
  }

  /**
   * Gives a passkey another name.
   *
   * @param {string} id base64url credential id
   * @param {string} deviceName
   * @returns {Promise<import("./keyhaven.d.ts").Credential>}
   */
  async renameCredential(id, deviceName) {
    return this.#changing(() => this.#request("PATCH", `credentials/${encodeURIComponent(id)}`, { body: { deviceName } }));
  }

  /**
   * Puts a suspended passkey back in use; asks for one first where the sign-in is not fresh.
   *
   * @param {string} id base64url credential id
   * @returns {Promise<import("./keyhaven.d.ts").Credential>}
   */
  async reactivateCredential(id) {
    const change = () => this.#request("PATCH", `credentials/${encodeURIComponent(id)}`, { body: { active: true } });
    return this.#changing(() => this.#steppingUp("add_passkey", change));
  }

  /**
   * Deletes a passkey; asks for one first where the sign-in is not fresh. Rejects with `last_credential` for the last
   * way in.
   *
   * @param {string} id base64url credential id
   */
  async deleteCredential(id) {
    const remove = () => this.#delete(`credentials/${encodeURIComponent(id)}`);
    await this.#changing(() => this.#steppingUp("delete_passkey", remove));
  }

  /**
   * Deletes every passkey, or all but one; same conditions as {@link Keyhaven#deleteCredential}.
   *
   * @param {{ except?: string }} [options] `except`: base64url id of the credential that stays
   */
  async deleteAllCredentials({ except } = {}) {
    const query = except === undefined ? "" : `?except=${encodeURIComponent(except)}`;
    await this.#changing(() => this.#steppingUp("delete_passkey", () => this.#delete(`credentials${query}`)));
  }

  /** Where the account is signed in. @returns {Promise<import("./keyhaven.d.ts").SessionInfo[]>} */
  async sessions() {
    return (await this.#get("sessions")).sessions;
  }

  /** Ends one session of the account. @param {string} id */
  async revokeSession(id) {
    await this.#delete(`sessions/${encodeURIComponent(id)}`);
  }

  /** Ends all sessions of the account but this one. @returns {Promise<number>} how many */
  async revokeOtherSessions() {
    return (await this.#delete("sessions")).ended;
  }

  /** Signs out everywhere, here too. @returns {Promise<number>} how many sessions that ended */
  async revokeAllSessions() {
    const { ended } = await this.#delete("sessions?all=true");
    this.#user = null;
    return ended;
  }

  // ── Passwords, where the deployment has them ──────────────────────────────────────────────────────────────────────

  /**
   * Creates an account with a password, and signs in. `offerPasskey` of the answer: offer {@link Keyhaven#addPasskey} now.
   *
   * @param {import("./keyhaven.d.ts").PasswordRegisterOptions} options
   * @returns {Promise<import("./keyhaven.d.ts").PasswordSignIn>}
   */
  async registerWithPassword({ signal, ...body }) {
    return this.#exclusively(async (signedIn) => {
      if (signedIn) throw new KeyhavenError({ code: "signed_in_meanwhile" });
      const result = await this.#post("password/register", body, { signal });
      this.#autofill?.stop();
      return this.#remember(result);
    });
  }

  /**
   * Signs in with a password alone. `offerPasskey` of the answer: offer {@link Keyhaven#addPasskey} now.
   *
   * @param {import("./keyhaven.d.ts").PasswordLoginOptions} options
   * @returns {Promise<import("./keyhaven.d.ts").PasswordSignIn>}
   */
  async loginWithPassword({ username, password, captchaToken, signal }) {
    return this.#adopting(async (signedIn) => {
      if (signedIn) return { ...signedIn, offerPasskey: false };
      const result = await this.#post("password/login", { username, password, captchaToken }, { signal });
      this.#autofill?.stop();
      return this.#remember(result);
    });
  }

  /**
   * Sets the account's password; asks for a passkey first where the account has one. Ends the other sessions. Rejects
   * with `password_required` where the password so far is needed.
   *
   * @param {import("./keyhaven.d.ts").PasswordChange} change
   */
  async changePassword({ password, currentPassword, withPasskey }) {
    const body = { password, currentPassword, withPasskey };
    await this.#steppingUp("change_password", () => this.#request("PUT", "password", { body }));
  }

  /**
   * Removes the account's password, as {@link Keyhaven#changePassword} sets one.
   *
   * @param {{ currentPassword?: string }} [options]
   */
  async removePassword({ currentPassword } = {}) {
    const body = currentPassword === undefined ? undefined : { currentPassword };
    await this.#steppingUp("change_password", () => this.#request("DELETE", "password", { body }));
  }

  // ── Client keys, where the deployment has them ────────────────────────────────────────────────────────────────────

  /**
   * Makes a client key, in place of the one before; asks for a passkey first. Show it: nobody can ever again.
   *
   * @returns {Promise<string>} 32 hexadecimal digits
   */
  async makeClientKey() {
    const { clientKey } = await this.#steppingUp("change_password", () => this.#post("account/client-key"));
    return clientKey;
  }

  /** Removes the account's client key; asks for a passkey first. */
  async removeClientKey() {
    await this.#steppingUp("change_password", () => this.#delete("account/client-key"));
  }

  /** What guards the account beside its passkeys. @returns {Promise<import("./keyhaven.d.ts").AccountSecurity>} */
  async accountSecurity() {
    return this.#get("account/security");
  }

  // ── The account ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Gives the account another name for people to read, and tells the browser.
   *
   * @param {string} displayName 1 to 64 characters
   * @returns {Promise<import("./keyhaven.d.ts").User>}
   */
  async changeDisplayName(displayName) {
    const { signals, ...user } = await this.#request("PATCH", "account", { body: { displayName } });
    signalUser({ signals });
    return this.#remember({ user }).user;
  }

  /**
   * What happened to the account, newest first, 50 at a time.
   *
   * @param {{ after?: string }} [options] `after`: `next` of the page before
   * @returns {Promise<import("./keyhaven.d.ts").EventList>}
   */
  async accountEvents({ after } = {}) {
    return this.#get(after === undefined ? "account/events" : `account/events?after=${encodeURIComponent(after)}`);
  }

  /** Everything that is held of the account, to be kept; asks for a passkey first. @returns {Promise<object>} */
  async exportAccount() {
    return this.#steppingUp("export", () => this.#get("account/export"));
  }

  /** Deletes the account, at once and for good; asks for a passkey first, and tells the browser that none counts. */
  async deleteAccount() {
    await this.#changing(() => this.#steppingUp("delete_account", () => this.#delete("account")));
    this.#user = null;
  }

  // ── The e-mail address ────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Proves the account's address by the token of the mailed link (`#verify-email=…`). Needs a session of the account that
   * asked; anything else rejects with `not_found`.
   *
   * @param {string} token
   * @returns {Promise<import("./keyhaven.d.ts").User>}
   */
  async verifyEmail(token) {
    return this.#remember({ user: await this.#post("email/verify", { token }) }).user;
  }

  /** Mails the link again: once a minute. */
  async resendEmail() {
    await this.#post("email/resend");
  }

  /**
   * Claims another address, and has a link mailed there; asks for a passkey first. The present one stays until then.
   *
   * @param {string} email
   */
  async changeEmail(email) {
    await this.#steppingUp("change_email", () => this.#post("email/change", { email }));
  }

  // ── Recovery ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Has a code of six digits mailed to an account's proven address. The answer is the same where nobody has it.
   *
   * @param {string} email
   * @returns {Promise<string>} the recovery's id, good in this browser only
   */
  async requestRecovery(email) {
    return (await this.#post("recovery/request-otp", { email })).recoveryId;
  }

  /**
   * Shows the mailed code; without one, takes up a recovery that is `ready`. Answers `recovered` (there is a session now
   * that can add a passkey, and nothing else: {@link Keyhaven#addPasskey}), or `waiting`.
   *
   * @param {string} recoveryId
   * @param {string} [otp]
   * @returns {Promise<import("./keyhaven.d.ts").Recovery>}
   */
  async verifyRecovery(recoveryId, otp) {
    return this.#remember(await this.#post("recovery/verify-otp", { recoveryId, otp }));
  }

  /**
   * Shows one of the account's recovery codes: a recovery that waits then waits no longer.
   *
   * @param {string} recoveryId
   * @param {string} code
   * @returns {Promise<import("./keyhaven.d.ts").Recovery>}
   */
  async verifyRecoveryCode(recoveryId, code) {
    return this.#remember(await this.#post("recovery/verify-code", { recoveryId, code }));
  }

  /**
   * How a recovery stands that this browser asked for.
   *
   * @param {string} recoveryId
   * @returns {Promise<import("./keyhaven.d.ts").Recovery>}
   */
  async recovery(recoveryId) {
    return this.#get(`recovery/${encodeURIComponent(recoveryId)}`);
  }

  /**
   * Cancels a recovery by the token of the mailed link (`#cancel-recovery=…`); without one, those of the account that is
   * signed in.
   *
   * @param {string} [token]
   */
  async cancelRecovery(token) {
    await this.#post("recovery/cancel", { token });
  }

  /**
   * Makes recovery codes, in place of those before; asks for a passkey first where the sign-in is not fresh. Show them:
   * nobody can ever again.
   *
   * @returns {Promise<string[]>}
   */
  async makeRecoveryCodes() {
    return (await this.#steppingUp("add_passkey", () => this.#post("recovery/codes"))).codes;
  }

  /**
   * Uses up the token of an enrolment link (`#enrolment=…`): there is a session then that can add a passkey, and nothing
   * else ({@link Keyhaven#addPasskey}).
   *
   * @param {string} token
   * @returns {Promise<import("./keyhaven.d.ts").SessionState>}
   */
  async redeemEnrolment(token) {
    return this.#remember(await this.#post("enrolment/redeem", { token }));
  }

  // ── Administrators. Each asks for a passkey first; for everybody else nothing of this is there ────────────────────

  /**
   * Accounts, newest first, or those that are looked for.
   *
   * @param {import("./keyhaven.d.ts").AdminUsersQuery} [query]
   * @returns {Promise<import("./keyhaven.d.ts").AdminUsers>}
   */
  async adminUsers(query) {
    return this.#administering(() => this.#get(withQuery("admin/users", query)));
  }

  /** One account. @param {string} id @returns {Promise<import("./keyhaven.d.ts").AdminUserDetails>} */
  async adminUser(id) {
    return this.#administering(() => this.#get(adminUser(id)));
  }

  /** Locks an account: nobody signs in to it. @param {string} id @param {string} reason for other administrators */
  async adminLock(id, reason) {
    await this.#administering(() => this.#post(adminUser(id, "/lock"), { reason }));
  }

  /** Unlocks an account. @param {string} id */
  async adminUnlock(id) {
    await this.#administering(() => this.#post(adminUser(id, "/unlock")));
  }

  /** Signs an account out everywhere. @param {string} id */
  async adminSignOut(id) {
    await this.#administering(() => this.#delete(adminUser(id, "/sessions")));
  }

  /**
   * Removes a passkey of an account.
   *
   * @param {string} id
   * @param {string} credentialId
   * @param {{ evenLast?: boolean }} [options] `evenLast`: also where no passkey would be left
   */
  async adminRemovePasskey(id, credentialId, options) {
    const path = withQuery(adminUser(id, `/credentials/${encodeURIComponent(credentialId)}`), options);
    await this.#administering(() => this.#delete(path));
  }

  /**
   * Makes a link by which the owner of an account can add a passkey, once.
   *
   * @param {string} id
   * @param {{ mail?: boolean }} [options] `mail`: it is mailed to the account's address, and not answered
   * @returns {Promise<import("./keyhaven.d.ts").EnrolmentLink>}
   */
  async adminEnrolmentLink(id, { mail = false } = {}) {
    return this.#administering(() => this.#post(adminUser(id, "/enrolment-link"), { mail }));
  }

  /**
   * Whether something is an account's client key, where that can be asked.
   *
   * @param {string} id
   * @param {string} candidate
   * @returns {Promise<import("./keyhaven.d.ts").ClientKeyVerdict>}
   */
  async adminVerifyClientKey(id, candidate) {
    return this.#administering(() => this.#post(adminUser(id, "/client-key/verify"), { candidate }));
  }

  /**
   * Events of all accounts, newest first.
   *
   * @param {import("./keyhaven.d.ts").AdminEventsQuery} [query]
   * @returns {Promise<import("./keyhaven.d.ts").AdminEvents>}
   */
  async adminEvents(query) {
    return this.#administering(() => this.#get(withQuery("admin/audit", query)));
  }

  /** The whole sealed audit log, as lines of JSON for `keyhaven audit verify`. @returns {Promise<string>} */
  async adminExportAudit() {
    return this.#administering(() => this.#request("GET", "admin/audit/export", { plain: true }));
  }

  /** Name and version of the server. @returns {Promise<import("./keyhaven.d.ts").Version>} */
  async version() {
    return this.#get("version");
  }

  // ── Ceremonies ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #create(body, { deviceName, password, mediation, signal, stepUp, onPrompt, newAccount = false }) {
    requireWebAuthn();
    const start = () => this.#post("register/start", body, { signal });
    return this.#exclusively(async (signedIn) => {
      // With a session the same route adds a passkey to its account, which is not what was asked for.
      if (signedIn || (newAccount && (await this.session()))) throw new KeyhavenError({ code: "signed_in_meanwhile" });
      const ceremony = await (stepUp ? this.#steppingUp(stepUp, start, signal) : start());
      notify(onPrompt);
      this.#registrations += 1;
      this.#making += 1;
      try {
        const credential = await promptCreate(ceremony.publicKey, { mediation, signal });
        const finish = { ceremonyId: ceremony.ceremonyId, credential, deviceName, password };
        const result = await this.#post("register/finish", finish, { signal });
        this.#autofill?.stop();
        // Its list may lack another one that is being made.
        if (this.#making === 1) signalAccount(result);
        return this.#remember(result);
      } finally {
        this.#making -= 1;
        this.#registrations += 1;
      }
    });
  }

  async #finishLogin(ceremony, assertion, { password, clientKey, signal } = {}) {
    const more = { password, clientKey, signal };
    const result = await this.#finishAssertion("login/finish", ceremony, assertion, more);
    this.#remember(result);
    signalUser(result);
    return { ...result, crossDevice: isOnAnotherDevice(assertion, result.credential) };
  }

  /** Posts an assertion; a passkey the server certainly does not know is reported to the browser. */
  async #finishAssertion(path, { ceremonyId, publicKey }, credential, { password, clientKey, signal }) {
    try {
      return await this.#post(path, { ceremonyId, credential, password, clientKey }, { signal });
    } catch (error) {
      if (error.code === "credential_not_found") {
        tellBrowser("signalUnknownCredential", { rpId: publicKey.rpId, credentialId: credential.id });
      }
      throw error;
    }
  }

  #administering(call) {
    return this.#steppingUp("admin", call);
  }

  /** Runs a change of passkeys, and hands what its answer says to the browser, unless a passkey was made meanwhile. */
  async #changing(call) {
    const before = this.#registrations;
    const answer = await call();
    this.#signalSince(before, answer);
    return answer;
  }

  /** Hands a list of passkeys to the browser, unless it may lack one that is being made, or was made since `before`. */
  #signalSince(before, answer) {
    if (this.#making === 0 && before === this.#registrations) signalAccount(answer);
  }

  /** Runs `call`; where the server wants a step-up first, does it and runs `call` once more. */
  async #steppingUp(purpose, call, signal) {
    try {
      return await call();
    } catch (error) {
      if (error.code !== "step_up_required") throw error;
      await this.stepUp({ purpose: error.purpose ?? purpose, signal });
      return call();
    }
  }

  #remember(result) {
    if (result?.user) this.#user = result.user;
    return result;
  }

  // ── Autofill ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Runs a modal flow: the pending conditional `get` is aborted first, and autofill waits for the end of the flow. Where
   * autofill has been answered already, its sign-in is awaited, and given to the flow if it succeeds: two sign-ins side
   * by side would end each other's session.
   */
  async #exclusively(flow) {
    this.#holds += 1;
    try {
      this.#conditional?.abort();
      const signedIn = await this.#conditional?.signedIn;
      return await flow(signedIn);
    } finally {
      this.#holds -= 1;
      if (this.#holds === 0) {
        for (const wake of this.#waiters) wake();
        this.#waiters.clear();
      }
    }
  }

  /** Runs a sign-in, for which that of autofill will do. */
  async #adopting(flow) {
    this.#adopters += 1;
    try {
      return await this.#exclusively(flow);
    } finally {
      this.#adopters -= 1;
    }
  }

  async #noModalFlow(stop) {
    while (this.#holds > 0 && !stop.aborted) {
      await new Promise((resolve) => {
        this.#waiters.add(resolve);
        stop.addEventListener("abort", resolve, { once: true });
      });
    }
  }

  async #runAutofill({ onSignIn, onError, onOffer }, stop) {
    if (!(await conditionalGetAvailable())) return;
    let ceremony = null;
    let troubles = 0;
    let refusals = 0;
    while (!stop.aborted) {
      await this.#noModalFlow(stop);
      await pageVisible(stop);
      if (stop.aborted) return;

      if (!ceremony || Date.now() >= ceremony.renewAt) {
        try {
          ceremony = await this.#startAutofill(stop);
        } catch (error) {
          if (stop.aborted) return;
          if (!isPassing(error)) return notify(onError, error);
          await wait(retryDelay(error, troubles), stop);
          troubles += 1;
          continue;
        }
        if (this.#holds > 0 || isHidden()) continue;
      }

      const offered = Date.now();
      const { result, refusal, renewed, error } = await this.#offer(ceremony, stop, onOffer);
      if (result && this.#adopters === 0) return notify(onSignIn, result);
      if (result || stop.aborted) return;
      if (refusal) {
        ceremony = null; // good for one finish, whatever its outcome
        notify(onError, refusal);
        await wait(retryDelay(refusal, troubles), stop);
        troubles += 1;
        continue;
      }
      if (renewed) {
        ceremony = renewed;
        troubles = 0;
      } else if (error?.code === "cancelled" || error?.code === "prompt_busy") {
        // The ceremony is still unused. A quick refusal means there is nothing to offer: ask again ever more slowly.
        // A late one comes from the person, who may want another try at once.
        if (Date.now() - offered > 3_000) refusals = 0;
        await wait(backoff(refusals), stop);
        refusals += 1;
      } else if (error) {
        return notify(onError, error);
      }
    }
  }

  /**
   * Holds one conditional `get` until it is answered, renewed, or aborted by a modal flow; signs in with its answer.
   *
   * @returns {Promise<{ result?: SignIn, refusal?: KeyhavenError, renewed?: object, error?: KeyhavenError }>}
   */
  async #offer(ceremony, stop, onOffer) {
    const prompt = new AbortController();
    const abort = () => prompt.abort();
    if (stop.aborted) abort();
    stop.addEventListener("abort", abort, { once: true });
    const signIn = promptGet(ceremony.publicKey, { mediation: "conditional", signal: prompt.signal }).then(
      async (assertion) => {
        abort(); // ends the renewal
        return this.#finishLogin(ceremony, assertion).then(
          (result) => ({ result }),
          (refusal) => ({ refusal }),
        );
      },
      (error) => (prompt.signal.aborted ? {} : { error }),
    );
    const conditional = { abort, signedIn: signIn.then(({ result }) => result) };
    this.#conditional = conditional;
    notify(onOffer);
    let renewed;
    const renewal = this.#renewInTime(ceremony, prompt.signal).then((next) => {
      renewed = next;
      abort();
    });
    try {
      const outcome = await signIn;
      return { renewed, ...outcome };
    } finally {
      // A run that replaced this one may have its own by now.
      if (this.#conditional === conditional) this.#conditional = null;
      stop.removeEventListener("abort", abort);
      abort();
      renewal.catch(nothing);
    }
  }

  /**
   * Waits until `ceremony` wants renewing and answers its successor, fetched while the old one is still on offer, so
   * that passkeys never vanish from the list. Answers `undefined` where the page is hidden or the server is out of
   * reach: the caller starts afresh then. Looks at the clock every few seconds, because timers stand still in sleep.
   */
  async #renewInTime(ceremony, signal) {
    let troubles = 0;
    while (!signal.aborted) {
      const now = Date.now();
      if (now < ceremony.renewAt) {
        await wait(Math.min(ceremony.renewAt - now, 5_000), signal);
      } else if (now >= ceremony.endAt || isHidden()) {
        return undefined;
      } else if (ceremony.patient && !document.hasFocus()) {
        await wait(500, signal); // the browser's own dialogue may be open: do not snatch it away
      } else {
        try {
          return await this.#startAutofill(signal);
        } catch (error) {
          await wait(Math.min(retryDelay(error, troubles), ceremony.endAt - now), signal);
          troubles += 1;
        }
      }
    }
    return undefined;
  }

  async #startAutofill(signal) {
    const started = Date.now();
    const ceremony = await this.#post("login/start", {}, { signal });
    return { ...ceremony, ...renewalTimes(ceremony, started) };
  }

  // ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #get(path) {
    return this.#request("GET", path);
  }

  #post(path, body, options) {
    return this.#request("POST", path, { body, ...options });
  }

  #delete(path) {
    return this.#request("DELETE", path);
  }

  async #request(method, path, { body, signal, plain = false } = {}) {
    const controller = new AbortController();
    const abort = () => controller.abort();
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(abort, this.#requestTimeout);
    const fetch = this.#fetch; // a browser's own does not run as the method of another object
    let response;
    let text;
    try {
      const headers = { Accept: "application/json" };
      const language = typeof this.#language === "function" ? this.#language() : this.#language;
      if (language) headers["Accept-Language"] = language;
      if (body !== undefined) headers["Content-Type"] = "application/json";
      response = await fetch(this.#base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        credentials: "include",
        signal: controller.signal,
      });
      if (plain) clearTimeout(timer); // it is streamed, and takes as long as it takes
      text = await response.text();
    } catch (cause) {
      throw new KeyhavenError({ code: signal?.aborted ? "cancelled" : "network_error", cause });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
    if (!response.ok) throw problem(response, text);
    if (plain) return text;
    if (text === "") return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new KeyhavenError({ code: "invalid_answer", status: response.status, cause });
    }
  }
}

/** A path with what is known of a query. */
function withQuery(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(pairs).toString();
  return text ? `${path}?${text}` : path;
}

function adminUser(id, rest = "") {
  return `admin/users/${encodeURIComponent(id)}${rest}`;
}

// ── Refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Reads an `application/problem+json` answer, or makes the best of one that is not. */
function problem(response, text) {
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    // A proxy's page: there is only the status.
  }
  const retryAfter = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return new KeyhavenError({
    code: body.code ?? "http_error",
    status: response.status,
    detail: body.detail ?? body.title,
    translationKey: body.translationKey,
    requestId: body.requestId ?? response.headers.get("X-Request-Id") ?? undefined,
    step: body.step,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    purpose: body.purpose,
  });
}

/** What a rejected `create` or `get` means. `NotAllowedError` is all a browser says of a closed or expired prompt. */
function promptError(cause, kind) {
  if (cause instanceof KeyhavenError) return cause;
  const codes = {
    AbortError: "cancelled",
    ConstraintError: "not_supported",
    InvalidStateError: kind === "create" ? "already_registered" : "prompt_failed",
    NotAllowedError: "cancelled",
    NotSupportedError: "not_supported",
    OperationError: "prompt_busy",
    SecurityError: "security_error",
  };
  return new KeyhavenError({ code: codes[cause?.name] ?? "prompt_failed", cause });
}

/** Trouble that time may cure. */
function isPassing(error) {
  return error.code === "network_error" || error.status === 429 || error.status >= 500;
}

// ── Prompts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function webAuthnPresent() {
  return typeof globalThis.PublicKeyCredential === "function" && !!globalThis.navigator?.credentials?.get;
}

function requireWebAuthn() {
  if (!webAuthnPresent()) throw new KeyhavenError({ code: "webauthn_unsupported" });
}

async function promptCreate(json, { mediation, signal }) {
  try {
    const publicKey = creationOptionsFromJSON(json);
    const credential = await navigator.credentials.create({ publicKey, signal, ...(mediation && { mediation }) });
    return credentialToJSON(credential);
  } catch (cause) {
    throw promptError(cause, "create");
  }
}

async function promptGet(json, { mediation, signal }) {
  try {
    const publicKey = requestOptionsFromJSON(json);
    const credential = await navigator.credentials.get({ publicKey, signal, ...(mediation && { mediation }) });
    return credentialToJSON(credential);
  } catch (cause) {
    throw promptError(cause, "get");
  }
}

/** See {@link Keyhaven#capabilities}. @returns {Promise<import("./keyhaven.d.ts").Capabilities>} */
export async function capabilities() {
  const type = globalThis.PublicKeyCredential;
  const webauthn = webAuthnPresent();
  const ask = async (method) => {
    try {
      return webauthn && typeof type[method] === "function" ? await type[method]() : undefined;
    } catch {
      return undefined;
    }
  };
  const client = (await ask("getClientCapabilities")) ?? {};
  return {
    webauthn,
    secureContext: globalThis.isSecureContext === true,
    platformAuthenticator:
      client.userVerifyingPlatformAuthenticator ??
      (await ask("isUserVerifyingPlatformAuthenticatorAvailable")) ??
      false,
    conditionalGet: client.conditionalGet ?? (await ask("isConditionalMediationAvailable")) ?? false,
    conditionalCreate: client.conditionalCreate ?? false,
    hybrid: client.hybridTransport ?? false,
    relatedOrigins: client.relatedOrigins ?? false,
    signal: webauthn && typeof type.signalUnknownCredential === "function",
    client: { ...client },
  };
}

/** Asks for the feature, not for a passkey: `conditionalGet` can be false in the capability list until one exists. */
async function conditionalGetAvailable() {
  if (!webAuthnPresent()) return false;
  const available = globalThis.PublicKeyCredential.isConditionalMediationAvailable;
  if (typeof available === "function") {
    return Boolean(await available.call(globalThis.PublicKeyCredential).catch(() => false));
  }
  return (await capabilities()).conditionalGet;
}

/** Whether a passkey answered from another device, such as a phone, rather than from a security key. */
function isOnAnotherDevice({ authenticatorAttachment }, { transports }) {
  return authenticatorAttachment === "cross-platform" && transports.includes("hybrid");
}

// ── Signal API: best effort, never an error ─────────────────────────────────────────────────────────────────────────

function tellBrowser(method, argument) {
  const type = globalThis.PublicKeyCredential;
  if (typeof type?.[method] !== "function") return;
  try {
    Promise.resolve(type[method](argument)).catch(nothing);
  } catch {
    // Refused (say, an RP ID this page may not speak for): the browser keeps what it knows.
  }
}

/** Which passkeys count is the server's to say: a signal cannot always be taken back. */
function signalAccount({ signals } = {}) {
  if (signals?.allAcceptedCredentials) {
    tellBrowser("signalAllAcceptedCredentials", signals.allAcceptedCredentials);
  }
  signalUser({ signals });
}

function signalUser({ signals } = {}) {
  if (signals?.currentUserDetails) tellBrowser("signalCurrentUserDetails", signals.currentUserDetails);
}

// ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * When a conditional ceremony, asked for at `started`, is renewed.
 *
 * Its life is `publicKey.timeout`, which needs no agreement of clocks; failing that, `expiresAt`. Renewed a minute
 * before the end, or at 60 % of a short life. Where the page has lost the focus, which is how an open passkey dialogue
 * looks from inside, a `patient` ceremony waits longer: until `endAt`, 5 s or a tenth of its life before the end.
 *
 * @param {Pick<Ceremony, "publicKey" | "expiresAt">} ceremony
 * @param {number} started milliseconds since the epoch
 */
export function renewalTimes({ publicKey, expiresAt }, started) {
  let life = Number(publicKey?.timeout);
  if (!(life > 0)) life = Date.parse(expiresAt) - started;
  life = life > 0 ? Math.max(life, 1_000) : 60_000;
  return {
    renewAt: started + Math.max(0.6 * life, life - 60_000),
    endAt: started + life - Math.min(0.1 * life, 5_000),
    patient: life >= 30_000,
  };
}

/** 1 s, 2 s, 4 s, … 60 s. */
function backoff(attempt) {
  return Math.min(1_000 * 2 ** attempt, 60_000);
}

function retryDelay(error, attempt) {
  return error.retryAfter > 0 ? error.retryAfter * 1_000 : backoff(attempt);
}

/** Resolves after `milliseconds`, or when `signal` aborts. */
function wait(milliseconds, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, milliseconds));
    signal.addEventListener("abort", done, { once: true });
  });
}

function isHidden() {
  return globalThis.document?.visibilityState === "hidden";
}

/** Resolves when the page can be seen, or when `signal` aborts. */
function pageVisible(signal) {
  return new Promise((resolve) => {
    if (!isHidden() || signal.aborted) return resolve();
    const check = () => {
      if (isHidden() && !signal.aborted) return;
      document.removeEventListener("visibilitychange", check);
      signal.removeEventListener("abort", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
    signal.addEventListener("abort", check);
  });
}

function nothing() {}

/** Calls back; what the callback throws is the page's uncaught error and does not stop us. */
function notify(callback, value) {
  if (callback) queueMicrotask(() => callback(value));
}

// ── JSON and bytes: the browser's own conversion where it has one ───────────────────────────────────────────────────

/**
 * `PublicKeyCredentialCreationOptionsJSON` to what `navigator.credentials.create` takes.
 *
 * @param {PublicKeyCredentialCreationOptionsJSON} json
 * @returns {PublicKeyCredentialCreationOptions}
 */
export function creationOptionsFromJSON(json) {
  const type = globalThis.PublicKeyCredential;
  if (typeof type?.parseCreationOptionsFromJSON === "function") return type.parseCreationOptionsFromJSON(json);
  return withoutUndefined({
    ...json,
    challenge: base64urlToBytes(json.challenge),
    user: { ...json.user, id: base64urlToBytes(json.user.id) },
    excludeCredentials: json.excludeCredentials?.map(descriptorFromJSON),
    extensions: extensionsFromJSON(json.extensions),
  });
}

/**
 * `PublicKeyCredentialRequestOptionsJSON` to what `navigator.credentials.get` takes.
 *
 * @param {PublicKeyCredentialRequestOptionsJSON} json
 * @returns {PublicKeyCredentialRequestOptions}
 */
export function requestOptionsFromJSON(json) {
  const type = globalThis.PublicKeyCredential;
  if (typeof type?.parseRequestOptionsFromJSON === "function") return type.parseRequestOptionsFromJSON(json);
  return withoutUndefined({
    ...json,
    challenge: base64urlToBytes(json.challenge),
    allowCredentials: json.allowCredentials?.map(descriptorFromJSON),
    extensions: extensionsFromJSON(json.extensions),
  });
}

/**
 * A credential to `RegistrationResponseJSON` or `AuthenticationResponseJSON`.
 *
 * Falls back to its own conversion where `toJSON` is missing or throws, as with some password managers' credentials.
 *
 * @param {PublicKeyCredential} credential
 */
export function credentialToJSON(credential) {
  if (!credential) throw new KeyhavenError({ code: "cancelled" });
  if (typeof credential.toJSON === "function") {
    try {
      return withoutEmptyUserHandle(credential.toJSON());
    } catch {
      // Not a real PublicKeyCredential: read it field by field.
    }
  }
  const { response } = credential;
  const bytes = (value) => (value?.byteLength ? bytesToBase64url(value) : undefined);
  const common = { clientDataJSON: bytes(response.clientDataJSON) };
  return withoutUndefined({
    id: credential.id,
    rawId: bytes(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: bytesInside(credential.getClientExtensionResults?.() ?? {}),
    response: withoutUndefined(
      response.attestationObject
        ? {
            ...common,
            attestationObject: bytes(response.attestationObject),
            authenticatorData: bytes(response.getAuthenticatorData?.()),
            publicKey: bytes(response.getPublicKey?.()),
            publicKeyAlgorithm: response.getPublicKeyAlgorithm?.(),
            transports: response.getTransports?.() ?? [],
          }
        : {
            ...common,
            authenticatorData: bytes(response.authenticatorData),
            signature: bytes(response.signature),
            userHandle: bytes(response.userHandle),
          },
    ),
  });
}

/**
 * Bytes to base64url without padding.
 *
 * @param {ArrayBuffer | ArrayBufferView} value
 * @returns {string}
 */
export function bytesToBase64url(value) {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * base64url to bytes. Padding is tolerated; anything else outside the alphabet throws a `TypeError`.
 *
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function base64urlToBytes(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*={0,2}$/.test(text)) throw new TypeError("not base64url");
  const unpadded = text.replace(/=+$/, "");
  if (unpadded.length % 4 === 1) throw new TypeError("not base64url");
  const binary = atob(unpadded.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

function descriptorFromJSON(descriptor) {
  return { ...descriptor, id: base64urlToBytes(descriptor.id) };
}

/** `prf` and `largeBlob` are the extensions that carry bytes in their input. */
function extensionsFromJSON(extensions) {
  if (!extensions) return undefined;
  const values = (input) => input && mapValues(input, base64urlToBytes);
  const { prf, largeBlob } = extensions;
  return withoutUndefined({
    ...extensions,
    prf: prf && withoutUndefined({
      ...prf,
      eval: values(prf.eval),
      evalByCredential: prf.evalByCredential && mapValues(prf.evalByCredential, values),
    }),
    largeBlob: largeBlob?.write ? { ...largeBlob, write: base64urlToBytes(largeBlob.write) } : largeBlob,
  });
}

function bytesInside(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return bytesToBase64url(value);
  if (Array.isArray(value)) return value.map(bytesInside);
  return value && typeof value === "object" ? mapValues(value, bytesInside) : value;
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

/** Some browsers write an empty user handle where there is none (WebKit bug 239737). */
function withoutEmptyUserHandle(json) {
  if (json.response.userHandle !== "") return json;
  return { ...json, response: withoutUndefined({ ...json.response, userHandle: undefined }) };
}

function withoutUndefined(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
