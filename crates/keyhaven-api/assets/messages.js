/**
 * Everything the page says: one entry a text, `[English, German]`. `{places}` are filled in.
 *
 * A sentence says what happened and what to do next, and blames nobody. `error.CODE` are the server's codes
 * (`docs/errors.md`, also its `translationKey`s) and those made in the browser. To add a language, add it to
 * {@link LANGUAGES} and {@link NAMES}, and to every entry.
 *
 * @module messages
 */

/** In the order of the entries. */
export const LANGUAGES = ["en", "de"];

/** What each calls itself. */
export const NAMES = { de: "Deutsch", en: "English" };

/** Codes that are no failure: the person changed their mind, or must do one thing more. */
export const HINTS = new Set([
  "already_registered",
  "cancelled",
  "client_key_missing",
  "code_missing",
  "email_missing",
  "name_required",
  "password_missing",
  "password_short",
  "password_short_alone",
  "prompt_busy",
  "register_code_used",
  "signed_in_meanwhile",
  "step_up_required",
  "unauthenticated",
  "username_required",
]);

/** @type {Record<string, [string, string]>} */
export const WORDS = {
  // ── The page ──
  "page.skip": ["Skip to the content", "Zum Inhalt springen"],
  "page.domain_hint": [
    "The address you are on. Your passkey works only here.",
    "Die Adresse, auf der Sie sind. Ihr Passkey funktioniert nur hier.",
  ],
  "page.you_are_on": ["You are on", "Sie sind auf"],
  "page.for_developers": ["For developers", "Für Entwickler"],
  "page.reference": ["API reference", "API-Referenz"],
  "page.module": ["Browser module", "Browser-Modul"],
  "title.signed_out": ["Sign in · Keyhaven", "Anmelden · Keyhaven"],
  "title.signed_in": ["Your account · Keyhaven", "Ihr Konto · Keyhaven"],
  "nav.label": ["Settings", "Einstellungen"],
  "nav.security": ["Security", "Sicherheit"],
  "nav.account": ["Account", "Konto"],
  "nav.admin": ["Administration", "Verwaltung"],
  greeting: ["Hello, {name}", "Hallo, {name}"],
  raw: ["{text}", "{text}"],

  "action.sign_out": ["Sign out", "Abmelden"],
  "action.dismiss": ["Dismiss this message", "Meldung schließen"],
  "action.cancel": ["Cancel", "Abbrechen"],
  "action.save": ["Save", "Speichern"],
  "action.continue": ["Continue", "Weiter"],
  "action.back": ["Back to signing in", "Zurück zur Anmeldung"],

  "time.never": ["never", "nie"],
  "time.now": ["just now", "gerade eben"],
  "time.soon": ["in a moment", "gleich"],
  "wait.moment": ["Wait a moment, then try again.", "Warten Sie einen Moment und versuchen Sie es dann noch einmal."],
  "wait.seconds": ["Try again in {count} s.", "Versuchen Sie es in {count} s noch einmal."],
  "wait.minutes": ["Try again in {count} min.", "Versuchen Sie es in {count} min noch einmal."],
  "wait.hours": ["Try again in {count} h.", "Versuchen Sie es in {count} h noch einmal."],

  "device.browser_on": ["{browser} on {system}", "{browser} auf {system}"],
  "device.unknown": ["Unknown device", "Unbekanntes Gerät"],

  "field.optional": ["optional", "freiwillig"],
  "field.username": ["User name", "Benutzername"],
  "field.displayname": ["Your name", "Ihr Name"],
  "field.name": ["Name", "Name"],
  "field.email": ["E-mail address", "E-Mail-Adresse"],
  "field.email_new": ["New e-mail address", "Neue E-Mail-Adresse"],
  "field.password": ["Password", "Passwort"],
  "field.client_key": ["Client key", "Client-Schlüssel"],
  "field.code": ["Code from the mail", "Code aus der E-Mail"],
  "field.recovery_code": ["Recovery code", "Wiederherstellungscode"],

  "prompt.passkey": ["Your browser is asking for your passkey.", "Ihr Browser fragt nach Ihrem Passkey."],
  "prompt.create": [
    "Your browser is asking where to keep the new passkey.",
    "Ihr Browser fragt, wo der neue Passkey gespeichert werden soll.",
  ],

  // ── Signed out ──
  "welcome.title": ["Sign in without a password", "Anmelden ohne Passwort"],
  "welcome.lead": [
    "A passkey is a key on your device that you unlock with your fingerprint, your face or your PIN. There is nothing to remember, and nothing to steal.",
    "Ein Passkey ist ein Schlüssel auf Ihrem Gerät, den Sie mit Fingerabdruck, Gesicht oder PIN freigeben. Es gibt nichts zu merken und nichts zu stehlen.",
  ],
  "welcome.stays": ["It stays with you", "Er bleibt bei Ihnen"],
  "welcome.stays_text": [
    "Your device checks that it is you. Neither your fingerprint nor your key ever leaves it.",
    "Ihr Gerät prüft, dass Sie es sind. Weder Ihr Fingerabdruck noch Ihr Schlüssel verlässt es je.",
  ],
  "welcome.only_here": ["It works only here", "Er funktioniert nur hier"],
  "welcome.only_here_text": [
    "Your passkey answers to {domain} and to no other site. If another address asks for it, leave.",
    "Ihr Passkey antwortet nur {domain}. Wenn eine andere Adresse nach ihm fragt, gehen Sie weg.",
  ],
  "welcome.sizes": ["It comes in your size", "Er passt zu Ihnen"],
  "welcome.sizes_text": [
    "This device, your password manager, your phone, or a security key: all of them work.",
    "Dieses Gerät, Ihr Passwortmanager, Ihr Telefon oder ein Sicherheitsschlüssel: Alle funktionieren.",
  ],

  "capability.insecure": [
    "Browsers offer passkeys only on secure pages. Open this page over https, or on localhost.",
    "Browser bieten Passkeys nur auf sicheren Seiten an. Öffnen Sie diese Seite über https oder auf localhost.",
  ],
  "capability.no-webauthn": [
    "This browser cannot use passkeys. Update it, or open this page in Chrome, Edge, Firefox or Safari.",
    "Dieser Browser kann keine Passkeys verwenden. Aktualisieren Sie ihn oder öffnen Sie diese Seite in Chrome, Edge, Firefox oder Safari.",
  ],
  "capability.no-platform": [
    "This device has no fingerprint reader, face recognition or screen lock set up for passkeys. Use a security key (USB or NFC), your phone, or a password manager instead.",
    "Auf diesem Gerät sind weder Fingerabdruck noch Gesichtserkennung noch Bildschirmsperre für Passkeys eingerichtet. Verwenden Sie einen Sicherheitsschlüssel (USB oder NFC), Ihr Telefon oder einen Passwortmanager.",
  ],

  "signin.title": ["Sign in", "Anmelden"],
  "signin.submit": ["Sign in", "Anmelden"],
  "signin.submit_password": ["Sign in with the password", "Mit Passwort anmelden"],
  "signin.autofill": [
    "Your passkeys appear in this field’s suggestions.",
    "Ihre Passkeys erscheinen in den Vorschlägen dieses Feldes.",
  ],
  "signin.or": ["or", "oder"],
  "signin.passkey": ["Sign in with a passkey", "Mit einem Passkey anmelden"],
  "signin.passkey_hint": [
    "No name needed: your device shows the passkeys it has for this site.",
    "Ohne Namen: Ihr Gerät zeigt die Passkeys, die es für diese Seite hat.",
  ],
  "signin.use_password": ["Use a password", "Passwort verwenden"],
  "signin.use_passkey": ["Use a passkey", "Passkey verwenden"],
  "signin.trouble": ["Having trouble?", "Klappt es nicht?"],
  "signin.new_here": ["New here?", "Neu hier?"],
  "signin.create_account": ["Create an account", "Konto anlegen"],

  "factor.title": ["One thing more", "Noch etwas"],
  "factor.text": [
    "Your passkey is right. This account asks for more than that; then use the passkey once more.",
    "Ihr Passkey ist richtig. Dieses Konto verlangt noch mehr; verwenden Sie danach den Passkey noch einmal.",
  ],
  "factor.key_hint": [
    "32 letters and digits, shown to you once. Spaces and hyphens do not matter.",
    "32 Buchstaben und Ziffern, die Ihnen einmal gezeigt wurden. Leerzeichen und Striche sind egal.",
  ],
  "factor.submit": ["Continue with the passkey", "Weiter mit dem Passkey"],

  "register.title": ["Create your account", "Konto anlegen"],
  "register.username_hint": [
    "Others can see it. Up to 50 characters, and not an e‑mail address.",
    "Andere können ihn sehen. Bis zu 50 Zeichen, und keine E-Mail-Adresse.",
  ],
  "register.displayname_hint": [
    "What we call you, and what your device shows beside the passkey.",
    "So nennen wir Sie, und so zeigt Ihr Gerät den Passkey an.",
  ],
  "register.email_hint": [
    "With it you get back in if you lose your passkeys. We mail you a link to confirm it.",
    "Mit ihr kommen Sie wieder hinein, wenn Sie Ihre Passkeys verlieren. Wir schicken Ihnen einen Link zur Bestätigung.",
  ],
  "register.email_name_hint": [
    "Your account is called by it. We mail you a code to see that it is yours.",
    "So heißt Ihr Konto. Wir schicken Ihnen einen Code, um zu sehen, dass sie Ihnen gehört.",
  ],
  "register.code_hint": [
    "Six digits, in the mail that we have just sent. If there is an account already, the mail says so.",
    "Sechs Ziffern aus der E-Mail, die wir gerade geschickt haben. Gibt es schon ein Konto, steht das in der E-Mail.",
  ],
  "register.submit_address": ["Mail me a code", "Code zuschicken"],
  "register.password_hint": [
    "At least 15 characters. A few words that only you would put together are good.",
    "Mindestens 15 Zeichen. Gut sind ein paar Wörter, die nur Sie so zusammenstellen.",
  ],
  "register.password_hint_both": [
    "At least 8 characters. It is asked for together with your passkey.",
    "Mindestens 8 Zeichen. Danach wird zusammen mit Ihrem Passkey gefragt.",
  ],
  "register.submit": ["Create account with a passkey", "Konto mit Passkey anlegen"],
  "register.submit_password": ["Create account with a password", "Konto mit Passwort anlegen"],
  "register.use_password": ["Use a password instead", "Stattdessen ein Passwort verwenden"],
  "register.use_passkey": ["Use a passkey instead", "Stattdessen einen Passkey verwenden"],
  "register.guidance": [
    "Your device will ask for your fingerprint, your face or your PIN. The account exists only once it has confirmed that it is you.",
    "Ihr Gerät fragt nach Fingerabdruck, Gesicht oder PIN. Das Konto gibt es erst, wenn es bestätigt hat, dass Sie es sind.",
  ],
  "register.guidance_key": [
    "Your browser will ask for your security key or phone. Touch the key and enter its PIN when asked: the account exists only once it has confirmed that it is you.",
    "Ihr Browser fragt nach Ihrem Sicherheitsschlüssel oder Telefon. Berühren Sie den Schlüssel und geben Sie seine PIN ein, wenn danach gefragt wird: Das Konto gibt es erst, wenn er bestätigt hat, dass Sie es sind.",
  ],
  "register.have_account": ["Have an account?", "Schon ein Konto?"],

  // ── Recovery ──
  "recover.title": ["Get back into your account", "Zurück in Ihr Konto"],
  "recover.text": [
    "Is your device lost, or does your passkey not work? We mail a code to the address that you have confirmed.",
    "Ist Ihr Gerät verloren oder funktioniert Ihr Passkey nicht? Wir schicken einen Code an die Adresse, die Sie bestätigt haben.",
  ],
  "recover.send": ["Mail me a code", "Code zuschicken"],
  "recover.code_text": [
    "If an account has this address, a mail with six digits is on its way. They are good for ten minutes, in this browser only.",
    "Wenn ein Konto diese Adresse hat, ist eine E-Mail mit sechs Ziffern unterwegs. Sie gelten zehn Minuten, nur in diesem Browser.",
  ],
  "recover.code_hint": [
    "Nobody of this service will ever ask you for it.",
    "Niemand von diesem Dienst wird Sie je danach fragen.",
  ],
  "recover.waiting": ["You can go on after {when}.", "Weiter geht es nach {when}."],
  "recover.ready": ["The wait is over.", "Die Wartezeit ist vorbei."],
  "recover.wait_why": [
    "This account has passkeys. So that nobody takes it with your mails alone, its owner has time to object. Come back to this page in this browser.",
    "Dieses Konto hat Passkeys. Damit es niemand allein mit Ihren E-Mails übernimmt, hat sein Besitzer Zeit zu widersprechen. Kommen Sie in diesem Browser auf diese Seite zurück.",
  ],
  "recover.wait_cancel": [
    "We have mailed you a link that stops this. If you did not ask for it, use that link, or sign in with a passkey.",
    "Wir haben Ihnen einen Link geschickt, der dies abbricht. Falls Sie es nicht waren, verwenden Sie ihn oder melden Sie sich mit einem Passkey an.",
  ],
  "recover.take_up": ["Go on", "Weitermachen"],
  "recover.spare_title": ["Have a recovery code? Then there is no wait.", "Sie haben einen Wiederherstellungscode? Dann entfällt das Warten."],
  "recover.spare_hint": ["One of the ten that you kept. Each works once.", "Einer der zehn, die Sie aufgehoben haben. Jeder gilt einmal."],
  "recover.spare_submit": ["Use the recovery code", "Wiederherstellungscode verwenden"],
  "recover.back": ["Back to signing in", "Zurück zur Anmeldung"],
  "recover.restart": ["Start again", "Neu anfangen"],

  "recovered.title": ["Welcome back, {name}", "Willkommen zurück, {name}"],
  "recovered.text": [
    "Make a new passkey on this device to get back into your account.",
    "Legen Sie auf diesem Gerät einen neuen Passkey an, um wieder in Ihr Konto zu kommen.",
  ],
  "recovered.step_passkey": ["Your device asks for your fingerprint, face or PIN.", "Ihr Gerät fragt nach Fingerabdruck, Gesicht oder PIN."],
  "recovered.step_signed_out": ["All other devices are signed out.", "Alle anderen Geräte werden abgemeldet."],
  "recovered.step_review": ["Then look at your old passkeys, and remove what you have lost.", "Danach sehen Sie Ihre alten Passkeys durch und entfernen, was Sie verloren haben."],
  "recovered.add": ["Make a new passkey", "Neuen Passkey anlegen"],
  "recovered.leave": ["Not now", "Nicht jetzt"],

  "cancel.title": ["Stop the recovery?", "Wiederherstellung abbrechen?"],
  "cancel.text": [
    "Somebody wants to get into your account with a code from a mail. If that was not you, stop it: nothing changes then, and your passkeys stay as they are.",
    "Jemand möchte mit einem Code aus einer E-Mail in Ihr Konto. Waren Sie es nicht, brechen Sie es ab: Dann ändert sich nichts, und Ihre Passkeys bleiben, wie sie sind.",
  ],
  "cancel.confirm": ["Stop the recovery", "Wiederherstellung abbrechen"],
  "cancel.leave": ["Leave it running", "Weiterlaufen lassen"],
  "recovery.waits": [
    "Somebody asked for a way back into this account with a code from a mail, and gets in from {when} on. If that was not you, stop it.",
    "Jemand möchte mit einem Code aus einer E-Mail zurück in dieses Konto, und kommt ab {when} hinein. Waren Sie es nicht, brechen Sie es ab.",
  ],

  "enrolment.title": ["You are let in", "Sie werden eingelassen"],
  "enrolment.text": [
    "With this link you can make a passkey for your account. It works once, on this device.",
    "Mit diesem Link können Sie einen Passkey für Ihr Konto anlegen. Er gilt einmal, auf diesem Gerät.",
  ],

  // ── Mailed links ──
  "link.sign_in_first": [
    "To confirm your e-mail address, sign in with the account that asked for it.",
    "Um Ihre E-Mail-Adresse zu bestätigen, melden Sie sich mit dem Konto an, für das Sie sie angegeben haben.",
  ],
  "link.title": ["This link confirms nothing here", "Dieser Link bestätigt hier nichts"],
  "link.text": [
    "You are signed in as {name}. Either the link belongs to another account, or it was used before, or it is older than a day.",
    "Sie sind als {name} angemeldet. Entweder gehört der Link zu einem anderen Konto, oder er wurde schon verwendet, oder er ist älter als einen Tag.",
  ],
  "link.leave": ["Leave it", "Lassen"],
  "link.other": ["Sign in with another account", "Mit anderem Konto anmelden"],

  // ── The offer of a passkey ──
  "offer.title": ["Sign in without the password next time", "Das nächste Mal ohne Passwort anmelden"],
  "offer.text": [
    "Make a passkey on this device: you then sign in with your fingerprint, your face or your PIN.",
    "Legen Sie auf diesem Gerät einen Passkey an: Dann melden Sie sich mit Fingerabdruck, Gesicht oder PIN an.",
  ],
  "offer.faster": ["Faster: nothing to type.", "Schneller: Es gibt nichts zu tippen."],
  "offer.safer": ["Safer: it works on this site only, and nobody can guess it.", "Sicherer: Er funktioniert nur hier, und niemand kann ihn erraten."],
  "offer.make": ["Make a passkey", "Passkey anlegen"],
  "offer.later": ["Not now", "Nicht jetzt"],
  "offer_here.title": ["Sign in without the other device next time", "Das nächste Mal ohne das andere Gerät anmelden"],
  "offer_here.text": [
    "Make a passkey on this device, too: you then need not reach for your phone here.",
    "Legen Sie auch auf diesem Gerät einen Passkey an: Dann brauchen Sie hier Ihr Telefon nicht mehr.",
  ],
  "offer_here.faster": ["Faster: your fingerprint, your face or your PIN, and nothing to scan.", "Schneller: Fingerabdruck, Gesicht oder PIN, und nichts zu scannen."],
  "offer_here.safer": ["Only on a device of your own: whoever can unlock it can sign in.", "Nur auf einem eigenen Gerät: Wer es entsperren kann, kann sich anmelden."],
  "offer_here.later": ["Not on this device", "Nicht auf diesem Gerät"],

  // ── Passkeys ──
  "passkeys.title": ["Passkeys", "Passkeys"],
  "passkeys.add": ["Add passkey", "Passkey hinzufügen"],
  "passkeys.text": [
    "They belong to {rpId} and work nowhere else. Never approve a prompt that names another domain.",
    "Sie gehören zu {rpId} und funktionieren nirgends sonst. Bestätigen Sie nie eine Abfrage, die eine andere Domain nennt.",
  ],
  "passkeys.single": [
    "This is your only passkey, so it cannot be deleted. Add a second one, on another device or a security key, so that a lost device does not lock you out.",
    "Das ist Ihr einziger Passkey; darum kann er nicht gelöscht werden. Fügen Sie einen zweiten hinzu, auf einem anderen Gerät oder einem Sicherheitsschlüssel, damit ein verlorenes Gerät Sie nicht aussperrt.",
  ],
  "passkeys.none": ["No passkeys to show.", "Keine Passkeys vorhanden."],
  "passkeys.review": [
    "Your account was recovered. Look at the passkeys from before: remove those on devices that you no longer have.",
    "Ihr Konto wurde wiederhergestellt. Sehen Sie die früheren Passkeys durch: Entfernen Sie die auf Geräten, die Sie nicht mehr haben.",
  ],
  "passkeys.review_keep": ["I still have them", "Ich habe sie noch"],
  "passkeys.review_remove": ["Remove all old ones", "Alle alten entfernen"],
  "passkeys.delete_others": ["Delete all but one", "Alle außer einem löschen"],
  "passkeys.others_title": ["Delete all passkeys but one?", "Alle Passkeys außer einem löschen?"],
  "passkeys.others_text": [
    "Devices that signed in with the others are signed out. Your browser may ask you to confirm with a passkey first.",
    "Geräte, die sich mit den anderen angemeldet haben, werden abgemeldet. Vielleicht bittet Ihr Browser Sie zuerst um einen Passkey.",
  ],
  "passkeys.others_keep": ["Keep", "Behalten"],
  "passkeys.others_confirm": ["Delete the others", "Die anderen löschen"],
  "passkeys.old_title": ["Remove all old passkeys?", "Alle alten Passkeys entfernen?"],
  "passkeys.old_text": [
    "Only “{name}”, the new one, is left then.",
    "Dann bleibt nur „{name}“, der neue.",
  ],
  "passkey.synced": ["Synced", "Synchronisiert"],
  "passkey.synced_why": [
    "Saved with your password manager, and there on your other devices.",
    "In Ihrem Passwortmanager gespeichert und auf Ihren anderen Geräten da.",
  ],
  "passkey.syncable": ["Not synced yet", "Noch nicht synchronisiert"],
  "passkey.syncable_why": [
    "Can be synced, but is on one device only at the moment.",
    "Kann synchronisiert werden, ist zurzeit aber nur auf einem Gerät.",
  ],
  "passkey.bound": ["Device-bound", "An ein Gerät gebunden"],
  "passkey.bound_why": [
    "Bound to one device or security key. If that is lost, so is this passkey.",
    "An ein Gerät oder einen Sicherheitsschlüssel gebunden. Geht das verloren, dann auch dieser Passkey.",
  ],
  "passkey.pin": ["PIN always asked for", "Fragt immer nach der PIN"],
  "passkey.new": ["New", "Neu"],
  "passkey.suspended": ["Suspended: it may have been copied", "Ausgesetzt: Er wurde vielleicht kopiert"],
  "passkey.revoked": ["Revoked: it may have been copied. Add it again", "Widerrufen: Er wurde vielleicht kopiert. Fügen Sie ihn neu hinzu"],
  "passkey.off": ["Switched off", "Abgeschaltet"],
  "passkey.created": ["Created {when}", "Angelegt {when}"],
  "passkey.last_used": ["Last used {when}", "Zuletzt verwendet {when}"],
  "passkey.not_used": ["Not used to sign in yet", "Noch nicht zum Anmelden verwendet"],
  "passkey.made_with": ["Made with {browser}", "Angelegt mit {browser}"],
  "passkey.unnamed": ["Passkey of {device}", "Passkey von {device}"],
  "passkey.of_device": ["This device or a password manager", "Dieses Gerät oder ein Passwortmanager"],
  "passkey.of_phone": ["Phone or tablet", "Telefon oder Tablet"],
  "passkey.of_key": ["Security key", "Sicherheitsschlüssel"],
  "passkey.of_unknown": ["Unknown authenticator", "Unbekannter Authenticator"],
  "passkey.rename": ["Rename", "Umbenennen"],
  "passkey.rename_label": ["Rename {name}", "{name} umbenennen"],
  "passkey.rename_title": ["Rename passkey", "Passkey umbenennen"],
  "passkey.delete": ["Delete", "Löschen"],
  "passkey.delete_label": ["Delete {name}", "{name} löschen"],
  "passkey.delete_title": ["Delete “{name}”?", "„{name}“ löschen?"],
  "passkey.delete_text": [
    "You will not be able to sign in with it any more. Your device may ask you to confirm with a passkey first. Where your browser allows it, the passkey is removed from your password manager too.",
    "Sie können sich damit nicht mehr anmelden. Vielleicht bittet Ihr Gerät Sie zuerst um einen Passkey. Wo Ihr Browser es zulässt, wird er auch aus Ihrem Passwortmanager entfernt.",
  ],
  "passkey.delete_confirm": ["Delete passkey", "Passkey löschen"],
  "passkey.use_again": ["Use again", "Wieder verwenden"],
  "passkey.use_again_label": ["Use {name} again", "{name} wieder verwenden"],

  // ── Sessions ──
  "sessions.title": ["Where you are signed in", "Wo Sie angemeldet sind"],
  "sessions.this_one": ["This one", "Diese hier"],
  "sessions.no_address": ["unknown address", "unbekannte Adresse"],
  "sessions.since": ["Since {when}", "Seit: {when}"],
  "sessions.seen": ["Active {when}", "Aktiv: {when}"],
  "sessions.end_label": ["Sign out {name}", "{name} abmelden"],
  "sessions.end_others": ["Sign out all others", "Alle anderen abmelden"],
  "sessions.end_all": ["Sign out everywhere", "Überall abmelden"],
  "sessions.all_title": ["Sign out everywhere?", "Überall abmelden?"],
  "sessions.all_text": ["This device is signed out, too.", "Auch dieses Gerät wird abgemeldet."],
  "sessions.all_confirm": ["Sign out everywhere", "Überall abmelden"],
  "session.title": ["This session", "Diese Sitzung"],
  "session.since": ["Signed in", "Angemeldet"],
  "session.until": ["Ends", "Endet"],
  "session.assurance": ["Assurance", "Vertrauensniveau"],
  "session.proved_by": ["Proved by", "Nachgewiesen durch"],
  "aal.1": ["AAL1, one factor", "AAL1, ein Faktor"],
  "aal.2": ["AAL2, two factors", "AAL2, zwei Faktoren"],
  "aal.3": ["AAL3, hardware-bound", "AAL3, an Hardware gebunden"],
  "method.client_key": ["client key", "Client-Schlüssel"],
  "method.hwk": ["passkey in proven hardware", "Passkey in nachgewiesener Hardware"],
  "method.mfa": ["device unlock", "Entsperren des Geräts"],
  "method.pwd": ["password", "Passwort"],
  "method.swk": ["passkey", "Passkey"],
  "method.user": ["presence", "Anwesenheit"],

  // ── What happened ──
  "events.title": ["Recent events", "Letzte Ereignisse"],
  "events.text": [
    "If there is something here that you do not know, sign out all other devices and remove unknown passkeys.",
    "Steht hier etwas, das Sie nicht kennen, melden Sie alle anderen Geräte ab und entfernen Sie unbekannte Passkeys.",
  ],
  "events.more": ["Show more", "Mehr zeigen"],
  "events.refused": ["Refused", "Abgelehnt"],
  "event.account_delete": ["Account deleted", "Konto gelöscht"],
  "event.account_expire": ["Unused account deleted", "Unbenutztes Konto gelöscht"],
  "event.account_export": ["Data saved as a file", "Daten als Datei gesichert"],
  "event.account_rename": ["Name changed", "Name geändert"],
  "event.admin_audit_export": ["Audit log exported", "Protokoll exportiert"],
  "event.admin_client_key_check": ["Client key checked by the administration", "Client-Schlüssel durch die Verwaltung geprüft"],
  "event.admin_enrolment_link": ["Enrolment link made", "Einladungslink erstellt"],
  "event.admin_grant_role": ["Made an administrator", "In die Verwaltung aufgenommen"],
  "event.admin_lock": ["Account locked", "Konto gesperrt"],
  "event.admin_remove_passkey": ["Passkey removed by the administration", "Passkey durch die Verwaltung entfernt"],
  "event.admin_revoke_role": ["No longer an administrator", "Nicht mehr in der Verwaltung"],
  "event.admin_sign_out": ["Signed out by the administration", "Durch die Verwaltung abgemeldet"],
  "event.admin_unlock": ["Account unlocked", "Konto entsperrt"],
  "event.admin_view": ["Account looked at by the administration", "Konto durch die Verwaltung angesehen"],
  "event.client_key_change": ["Client key made", "Client-Schlüssel erstellt"],
  "event.client_key_remove": ["Client key removed", "Client-Schlüssel entfernt"],
  "event.credential_clone_alarm": ["A passkey may have been copied", "Ein Passkey wurde vielleicht kopiert"],
  "event.credential_reinstate": ["Passkey put back in use", "Passkey wieder in Gebrauch"],
  "event.credential_remove": ["Passkey deleted", "Passkey gelöscht"],
  "event.credential_rename": ["Passkey renamed", "Passkey umbenannt"],
  "event.email_change": ["Another e-mail address given", "Andere E-Mail-Adresse angegeben"],
  "event.email_resend": ["Link mailed again", "Link noch einmal gesendet"],
  "event.email_verify": ["E-mail address confirmed", "E-Mail-Adresse bestätigt"],
  "event.enrolment_redeem": ["Enrolment link used", "Einladungslink verwendet"],
  "event.login_finish": ["Signed in with a passkey", "Mit einem Passkey angemeldet"],
  "event.login_start": ["Sign-in begun", "Anmeldung begonnen"],
  "event.mail_give_up": ["A mail could not be delivered", "Eine E-Mail war nicht zustellbar"],
  "event.password_change": ["Password set", "Passwort gesetzt"],
  "event.password_import": ["Password taken over from another system", "Passwort aus einem anderen System übernommen"],
  "event.password_login": ["Signed in with the password", "Mit dem Passwort angemeldet"],
  "event.password_register": ["Account made with a password", "Konto mit Passwort angelegt"],
  "event.password_remove": ["Password removed", "Passwort entfernt"],
  "event.recovery_cancel": ["Recovery stopped", "Wiederherstellung abgebrochen"],
  "event.recovery_code": ["Recovery code used", "Wiederherstellungscode verwendet"],
  "event.recovery_codes": ["Recovery codes made", "Wiederherstellungscodes erstellt"],
  "event.recovery_request": ["Recovery asked for", "Wiederherstellung angefragt"],
  "event.recovery_verify": ["Recovery code from a mail entered", "Code aus einer E-Mail eingegeben"],
  "event.registration_email": ["Code for a new account mailed", "Code für ein neues Konto geschickt"],
  "event.registration_finish": ["Passkey added", "Passkey hinzugefügt"],
  "event.registration_start": ["Adding a passkey begun", "Hinzufügen eines Passkeys begonnen"],
  "event.session_refresh": ["Session renewed", "Sitzung erneuert"],
  "event.session_reuse_detected": ["Session ended: its token was used twice", "Sitzung beendet: Ihr Token wurde zweimal verwendet"],
  "event.session_revoke": ["Device signed out", "Gerät abgemeldet"],
  "event.session_revoke_all": ["Signed out everywhere", "Überall abgemeldet"],
  "event.session_revoke_others": ["All other devices signed out", "Alle anderen Geräte abgemeldet"],
  "event.session_sign_out": ["Signed out", "Abgemeldet"],
  "event.step_up_finish": ["Confirmed with a passkey", "Mit einem Passkey bestätigt"],
  "event.step_up_start": ["Confirmation begun", "Bestätigung begonnen"],

  // ── What else guards the account ──
  "codes.title": ["Recovery codes", "Wiederherstellungs­codes"],
  "codes.text": [
    "With one of them you get back in without a wait if you lose your passkeys. Keep them on paper or in a safe place.",
    "Mit einem davon kommen Sie ohne Wartezeit wieder hinein, wenn Sie Ihre Passkeys verlieren. Bewahren Sie sie auf Papier oder an einem sicheren Ort auf.",
  ],
  "codes.none": ["You have none.", "Sie haben keine."],
  "codes.left": ["Left: {count}", "Noch übrig: {count}"],
  "codes.make": ["Make recovery codes", "Codes erstellen"],
  "codes.make_new": ["Make new ones", "Neue erstellen"],
  "codes.again_title": ["Make new recovery codes?", "Neue Wiederherstellungscodes erstellen?"],
  "codes.again_text": ["Those you have now will no longer work.", "Die bisherigen gelten dann nicht mehr."],
  "codes.once_title": ["Your recovery codes", "Ihre Wiederherstellungscodes"],
  "codes.once_text": [
    "They are shown this once. Each works once, together with a code from a mail.",
    "Sie werden nur jetzt gezeigt. Jeder gilt einmal, zusammen mit einem Code aus einer E-Mail.",
  ],
  "secret.copy": ["Copy", "Kopieren"],
  "secret.copied": ["Copied.", "Kopiert."],
  "secret.not_copied": ["Your browser does not copy it. It is selected: copy it yourself.", "Ihr Browser kopiert es nicht. Es ist markiert: Kopieren Sie es selbst."],
  "secret.download": ["Save as a file", "Als Datei sichern"],
  "secret.done": ["I have kept it", "Ich habe es aufgehoben"],

  "password.title": ["Password", "Passwort"],
  "password.none": ["You have none, and need none.", "Sie haben keines und brauchen keines."],
  "password.alone": ["You can sign in with it alone. A passkey is safer.", "Sie können sich damit allein anmelden. Ein Passkey ist sicherer."],
  "password.with_passkey": ["It is asked for together with your passkey.", "Danach wird zusammen mit Ihrem Passkey gefragt."],
  "password.set": ["Set a password", "Passwort setzen"],
  "password.change": ["Change password", "Passwort ändern"],
  "password.remove": ["Remove password", "Passwort entfernen"],
  "password.remove_title": ["Remove your password?", "Passwort entfernen?"],
  "password.ends_sessions": [
    "All other devices are signed out. Your browser may ask for a passkey first.",
    "Alle anderen Geräte werden abgemeldet. Vielleicht fragt Ihr Browser zuerst nach einem Passkey.",
  ],
  "password.current": ["Current password", "Bisheriges Passwort"],
  "password.new": ["New password", "Neues Passwort"],
  "password.with_passkey_choice": [
    "Ask for it together with every passkey, and never sign in with it alone",
    "Zusammen mit jedem Passkey danach fragen und nie damit allein anmelden",
  ],

  "key.title": ["Client key", "Client-Schlüssel"],
  "key.text": [
    "32 letters and digits that are asked for beside your passkey. Whoever takes your device does not have them.",
    "32 Buchstaben und Ziffern, nach denen neben Ihrem Passkey gefragt wird. Wer Ihr Gerät nimmt, hat sie nicht.",
  ],
  "key.none": ["You have none.", "Sie haben keinen."],
  "key.there": ["You have one.", "Sie haben einen."],
  "key.make": ["Make a client key", "Client-Schlüssel erstellen"],
  "key.make_new": ["Make a new one", "Neuen erstellen"],
  "key.remove": ["Remove client key", "Client-Schlüssel entfernen"],
  "key.remove_title": ["Remove your client key?", "Client-Schlüssel entfernen?"],
  "key.remove_text": ["Your passkey is then enough to sign in.", "Zum Anmelden genügt dann Ihr Passkey."],
  "key.again_title": ["Make a new client key?", "Neuen Client-Schlüssel erstellen?"],
  "key.again_text": ["The one you have now will no longer work.", "Der bisherige gilt dann nicht mehr."],
  "key.once_title": ["Your client key", "Ihr Client-Schlüssel"],
  "key.once_text": [
    "It is shown this once, and asked for at every sign-in. Keep it where you find it, apart from your device.",
    "Er wird nur jetzt gezeigt, und bei jeder Anmeldung wird danach gefragt. Bewahren Sie ihn getrennt von Ihrem Gerät auf.",
  ],

  // ── The account ──
  "account.title": ["Account", "Konto"],
  "account.id": ["Account id", "Kontonummer"],
  "account.change_name": ["Change your name", "Namen ändern"],
  "account.name_title": ["What should we call you?", "Wie sollen wir Sie nennen?"],
  "data.title": ["Your data", "Ihre Daten"],
  "data.text": [
    "Take everything that is held of you with you, as one file, or delete your account. Your browser asks for a passkey first.",
    "Nehmen Sie alles mit, was über Sie gespeichert ist, als eine Datei, oder löschen Sie Ihr Konto. Ihr Browser fragt zuerst nach einem Passkey.",
  ],
  "data.export": ["Save my data as a file", "Meine Daten als Datei sichern"],
  "data.delete": ["Delete my account", "Mein Konto löschen"],
  "data.delete_title": ["Delete your account?", "Ihr Konto löschen?"],
  "data.delete_text": [
    "It is gone at once and for good, with its passkeys and all sessions. Type {name} to confirm.",
    "Es ist sofort und endgültig weg, mit seinen Passkeys und allen Sitzungen. Geben Sie zur Bestätigung {name} ein.",
  ],
  "data.delete_name": ["The account’s name", "Name des Kontos"],
  "email.title": ["E-mail address", "E-Mail-Adresse"],
  "email.text": [
    "We write to it when something important happens to your account, and you get back in with it if you lose your passkeys.",
    "Dorthin schreiben wir, wenn mit Ihrem Konto etwas Wichtiges geschieht, und damit kommen Sie wieder hinein, wenn Sie Ihre Passkeys verlieren.",
  ],
  "email.none": ["You have given none.", "Sie haben keine angegeben."],
  "email.verified": ["{address} is confirmed.", "{address} ist bestätigt."],
  "email.unverified": ["{address} is not confirmed yet.", "{address} ist noch nicht bestätigt."],
  "email.pending": [
    "Open the link in the mail that we sent, in this browser. Until then the address is not yours; after a week it is forgotten.",
    "Öffnen Sie in diesem Browser den Link aus unserer E-Mail. Bis dahin gehört die Adresse nicht zu Ihrem Konto; nach einer Woche wird sie vergessen.",
  ],
  "email.confirm": [
    "Confirm your e-mail address: we have sent a link to {address}. Open it in this browser.",
    "Bestätigen Sie Ihre E-Mail-Adresse: Wir haben einen Link an {address} geschickt. Öffnen Sie ihn in diesem Browser.",
  ],
  "email.resend": ["Send the link again", "Link noch einmal senden"],
  "email.change": ["Change address", "Adresse ändern"],
  "email.add": ["Add an address", "Adresse angeben"],
  "email.change_title": ["Change your e-mail address", "E-Mail-Adresse ändern"],
  "email.change_text": [
    "We mail a link to the new address. Until you have opened it the present one stays. Your browser asks for a passkey first.",
    "Wir schicken einen Link an die neue Adresse. Bis Sie ihn geöffnet haben, bleibt die bisherige. Ihr Browser fragt zuerst nach einem Passkey.",
  ],
  "email.send": ["Send the link", "Link senden"],

  // ── Administration ──
  "admin.title": ["Administration", "Verwaltung"],
  "admin.gate": [
    "Here you see and change the accounts of others. Confirm with your passkey that it is you; what you do is recorded.",
    "Hier sehen und ändern Sie die Konten anderer. Bestätigen Sie mit Ihrem Passkey, dass Sie es sind; was Sie tun, wird aufgezeichnet.",
  ],
  "admin.open": ["Open the administration", "Verwaltung öffnen"],
  "admin.users": ["Accounts", "Konten"],
  "admin.audit": ["Audit log", "Protokoll"],
  "admin.search": ["Look for an account", "Konto suchen"],
  "admin.search_hint": ["A name, an e-mail address or an account id, in full: names and addresses are stored encrypted, so a part finds nobody.", "Name, E-Mail-Adresse oder Kontonummer, vollständig: Namen und Adressen sind verschlüsselt gespeichert, ein Teil davon findet niemanden."],
  "admin.find": ["Find", "Suchen"],
  "admin.nobody": ["No account.", "Kein Konto."],
  "admin.role": ["Administrator", "Verwaltung"],
  "admin.locked": ["Locked", "Gesperrt"],
  "admin.yourself": ["Yourself", "Sie selbst"],
  "admin.no_passkey": ["No passkey", "Kein Passkey"],
  "admin.last_login": ["Last signed in: {when}", "Zuletzt angemeldet: {when}"],
  "admin.action": ["Action", "Vorgang"],
  "admin.outcome": ["Outcome", "Ergebnis"],
  "admin.any": ["Any", "Alle"],
  "admin.success": ["Done", "Ausgeführt"],
  "admin.by": ["By {actor}", "Durch {actor}"],
  "admin.command_line": ["the command line", "die Kommandozeile"],
  "admin.back": ["All accounts", "Alle Konten"],
  "admin.locked_because": ["Locked {when}: {reason}", "Gesperrt ({when}): {reason}"],
  "admin.link_pending": ["An enrolment link is good until {when}.", "Ein Einladungslink gilt bis {when}."],
  "admin.lock": ["Lock account", "Konto sperren"],
  "admin.lock_title": ["Lock {name}?", "{name} sperren?"],
  "admin.lock_text": ["Nobody can sign in to it then, and all its sessions end.", "Dann kann sich niemand mehr damit anmelden, und alle seine Sitzungen enden."],
  "admin.reason": ["Reason, for other administrators", "Grund, für andere in der Verwaltung"],
  "admin.unlock": ["Unlock account", "Konto entsperren"],
  "admin.enrol": ["Make an enrolment link", "Einladungslink erstellen"],
  "admin.enrol_title": ["Let {name} in?", "{name} einlassen?"],
  "admin.enrol_text": [
    "Whoever opens the link can add a passkey to the account, once. Be sure that it reaches its owner.",
    "Wer den Link öffnet, kann dem Konto einmal einen Passkey hinzufügen. Sorgen Sie dafür, dass er den Besitzer erreicht.",
  ],
  "admin.enrol_mail": ["Mail it to the account’s own address", "An die eigene Adresse des Kontos schicken"],
  "admin.once_title": ["The enrolment link", "Der Einladungslink"],
  "admin.once_text": ["It is shown this once. Hand it to the owner of the account, and to nobody else.", "Er wird nur jetzt gezeigt. Geben Sie ihn dem Besitzer des Kontos und niemandem sonst."],
  "admin.remove": ["Remove", "Entfernen"],
  "admin.remove_text": ["The sessions that it opened end.", "Die Sitzungen, die er geöffnet hat, enden."],
  "admin.remove_last_text": [
    "It is the account’s last passkey: its owner then needs a recovery or an enrolment link to get in.",
    "Es ist der letzte Passkey des Kontos: Sein Besitzer braucht dann eine Wiederherstellung oder einen Einladungslink.",
  ],
  "admin.sessions": ["Sessions", "Sitzungen"],
  "admin.no_sessions": ["Not signed in anywhere.", "Nirgends angemeldet."],
  "admin.since": ["Account made", "Konto angelegt"],
  "admin.login": ["Last signed in", "Zuletzt angemeldet"],
  "admin.recovery": ["Recovery waits until", "Wiederherstellung wartet bis"],
  "admin.yes": ["yes", "ja"],
  "admin.no": ["no", "nein"],

  // ── What was done ──
  "done.signed_in": ["You are signed in.", "Sie sind angemeldet."],
  "done.signed_out": ["You are signed out.", "Sie sind abgemeldet."],
  "done.signed_out_everywhere": ["You are signed out everywhere.", "Sie sind überall abgemeldet."],
  "done.registered": ["Your account is ready.", "Ihr Konto ist bereit."],
  "done.registered_mail": [
    "Your account is ready. Now confirm your e-mail address.",
    "Ihr Konto ist bereit. Bestätigen Sie jetzt Ihre E-Mail-Adresse.",
  ],
  "done.recovered": [
    "You are back. All other devices are signed out; now look at your old passkeys.",
    "Sie sind zurück. Alle anderen Geräte sind abgemeldet; sehen Sie jetzt Ihre alten Passkeys durch.",
  ],
  "done.passkey_added": ["The new passkey is ready.", "Der neue Passkey ist bereit."],
  "done.passkey_made": [
    "Your password manager has made a passkey for you.",
    "Ihr Passwortmanager hat einen Passkey für Sie angelegt.",
  ],
  "done.renamed": ["Renamed to “{name}”.", "Umbenannt in „{name}“."],
  "done.deleted": ["“{name}” is deleted.", "„{name}“ ist gelöscht."],
  "done.deleted_others": ["The other passkeys are deleted.", "Die anderen Passkeys sind gelöscht."],
  "done.reactivated": ["The passkey is in use again.", "Der Passkey wird wieder verwendet."],
  "done.session_revoked": ["{name} is signed out.", "{name} ist abgemeldet."],
  "done.sessions_revoked": ["All other devices are signed out.", "Alle anderen Geräte sind abgemeldet."],
  "done.codes_made": ["Your new recovery codes are in force.", "Ihre neuen Wiederherstellungscodes gelten."],
  "done.password_changed": [
    "Your password is set. All other devices are signed out.",
    "Ihr Passwort ist gesetzt. Alle anderen Geräte sind abgemeldet.",
  ],
  "done.password_removed": [
    "Your password is removed. All other devices are signed out.",
    "Ihr Passwort ist entfernt. Alle anderen Geräte sind abgemeldet.",
  ],
  "done.key_made": ["Your client key is asked for from now on.", "Ab jetzt wird nach Ihrem Client-Schlüssel gefragt."],
  "done.key_removed": ["Your client key is removed.", "Ihr Client-Schlüssel ist entfernt."],
  "done.name_changed": ["Your name is changed.", "Ihr Name ist geändert."],
  "done.exported": ["Your data are in a file of your browser’s downloads.", "Ihre Daten sind in einer Datei bei den Downloads Ihres Browsers."],
  "done.account_deleted": ["Your account is deleted.", "Ihr Konto ist gelöscht."],
  "done.admin_locked": ["{name} is locked.", "{name} ist gesperrt."],
  "done.admin_unlocked": ["{name} is unlocked.", "{name} ist entsperrt."],
  "done.admin_signed_out": ["{name} is signed out everywhere.", "{name} ist überall abgemeldet."],
  "done.admin_link_made": ["The link for {name} is good once.", "Der Link für {name} gilt einmal."],
  "done.admin_link_mailed": ["The link is on its way to {name}.", "Der Link ist unterwegs zu {name}."],
  "done.email_sent": ["A mail with a link is on its way.", "Eine E-Mail mit einem Link ist unterwegs."],
  "done.email_verified": ["{email} is confirmed.", "{email} ist bestätigt."],
  "done.register_code_sent": ["A mail is on its way.", "Eine E-Mail ist unterwegs."],
  "done.code_sent": ["If an account has this address, a mail is on its way.", "Wenn ein Konto diese Adresse hat, ist eine E-Mail unterwegs."],
  "done.recovery_cancelled": [
    "The recovery is stopped. Nothing has changed.",
    "Die Wiederherstellung ist abgebrochen. Es hat sich nichts geändert.",
  ],

  // ── Errors: 400 ──
  "error.invalid_request": ["Something in the form needs another look. {detail}", "Etwas im Formular stimmt noch nicht. {detail}"],
  "error.malformed_response": [
    "The answer of your authenticator could not be read. Try another passkey, or start again.",
    "Die Antwort Ihres Authenticators war nicht lesbar. Versuchen Sie einen anderen Passkey oder fangen Sie neu an.",
  ],
  "error.challenge_missing": [
    "That took too long, or the request was already used. Please start again.",
    "Das hat zu lange gedauert, oder die Anfrage wurde schon verwendet. Bitte fangen Sie neu an.",
  ],
  "error.challenge_mismatch": [
    "That answer belongs to an older request. Please start again.",
    "Diese Antwort gehört zu einer älteren Anfrage. Bitte fangen Sie neu an.",
  ],
  "error.ceremony_type_mismatch": [
    "That answer belongs to another kind of request. Please start again.",
    "Diese Antwort gehört zu einer anderen Art von Anfrage. Bitte fangen Sie neu an.",
  ],
  "error.origin_mismatch": [
    "This passkey was used on a different address. Check the address bar: you may not be where you think you are.",
    "Dieser Passkey wurde auf einer anderen Adresse verwendet. Prüfen Sie die Adresszeile: Vielleicht sind Sie nicht dort, wo Sie meinen.",
  ],
  "error.cross_origin_not_allowed": [
    "Passkeys cannot be used from inside another site’s page. Open this site in its own tab.",
    "Passkeys können nicht innerhalb der Seite eines anderen Anbieters verwendet werden. Öffnen Sie diese Seite in einem eigenen Tab.",
  ],
  "error.top_origin_not_allowed": [
    "The page around this one may not ask for your passkey. Open this site in its own tab.",
    "Die umgebende Seite darf nicht nach Ihrem Passkey fragen. Öffnen Sie diese Seite in einem eigenen Tab.",
  ],
  "error.rp_id_mismatch": [
    "This passkey belongs to another domain. Check the address bar, and pick a passkey of this site.",
    "Dieser Passkey gehört zu einer anderen Domain. Prüfen Sie die Adresszeile und wählen Sie einen Passkey dieser Seite.",
  ],
  "error.user_presence_missing": [
    "Your authenticator did not confirm that you were there. Try again, and touch it when it asks.",
    "Ihr Authenticator hat nicht bestätigt, dass Sie da waren. Versuchen Sie es noch einmal und berühren Sie ihn, wenn er darum bittet.",
  ],
  "error.user_verification_missing": [
    "Your authenticator did not check that it was you. Try again with your fingerprint, your face or your PIN.",
    "Ihr Authenticator hat nicht geprüft, dass Sie es waren. Versuchen Sie es noch einmal mit Fingerabdruck, Gesicht oder PIN.",
  ],
  "error.backup_flags_invalid": [
    "Your authenticator contradicts itself about whether the passkey is synced. Try another passkey, or start again.",
    "Ihr Authenticator widerspricht sich, ob der Passkey synchronisiert ist. Versuchen Sie einen anderen Passkey oder fangen Sie neu an.",
  ],
  "error.backup_eligibility_changed": [
    "This passkey no longer behaves as it did when it was made. Try another passkey, or start again.",
    "Dieser Passkey verhält sich anders als zu der Zeit, als er angelegt wurde. Versuchen Sie einen anderen oder fangen Sie neu an.",
  ],
  "error.credential_not_allowed": [
    "That passkey belongs to another account. Pick one of the account you named.",
    "Dieser Passkey gehört zu einem anderen Konto. Wählen Sie einen des Kontos, das Sie genannt haben.",
  ],
  "error.algorithm_not_allowed": [
    "Your authenticator used a kind of key that is not accepted here. Try another one.",
    "Ihr Authenticator hat eine Art von Schlüssel verwendet, die hier nicht angenommen wird. Versuchen Sie einen anderen.",
  ],
  "error.unsupported_algorithm": [
    "Your authenticator used a kind of key that is not known here. Try another one.",
    "Ihr Authenticator hat eine Art von Schlüssel verwendet, die hier nicht bekannt ist. Versuchen Sie einen anderen.",
  ],
  "error.unsupported_format": [
    "Your authenticator introduced itself in a way that is not known here. Try another one.",
    "Ihr Authenticator hat sich auf eine Art vorgestellt, die hier nicht bekannt ist. Versuchen Sie einen anderen.",
  ],
  "error.public_key_invalid": [
    "Your authenticator made a key that cannot be used. Try again, or use another one.",
    "Ihr Authenticator hat einen unbrauchbaren Schlüssel erzeugt. Versuchen Sie es noch einmal oder verwenden Sie einen anderen.",
  ],
  "error.attestation_invalid": [
    "Your authenticator could not prove what it is. Try again, or use another one.",
    "Ihr Authenticator konnte nicht nachweisen, was er ist. Versuchen Sie es noch einmal oder verwenden Sie einen anderen.",
  ],
  "error.attestation_untrusted": [
    "This kind of authenticator is not accepted here. Ask which ones are.",
    "Diese Art von Authenticator wird hier nicht angenommen. Fragen Sie nach, welche es werden.",
  ],
  "error.extension_not_allowed": [
    "Your browser added something that was not asked for. Please start again.",
    "Ihr Browser hat etwas hinzugefügt, wonach nicht gefragt war. Bitte fangen Sie neu an.",
  ],
  "error.email_required": ["An e-mail address is needed for this.", "Dafür wird eine E-Mail-Adresse gebraucht."],
  "error.no_passkeys": [
    "This account has no passkey yet. Sign in another way, then add one.",
    "Dieses Konto hat noch keinen Passkey. Melden Sie sich auf andere Weise an und fügen Sie dann einen hinzu.",
  ],
  "error.user_not_found": [
    "There is no account of that name. Check the spelling, or create an account.",
    "Es gibt kein Konto mit diesem Namen. Prüfen Sie die Schreibweise oder legen Sie ein Konto an.",
  ],

  // ── 401 ──
  "error.unauthenticated": ["You are not signed in.", "Sie sind nicht angemeldet."],
  "error.session_expired": [
    "Your session has ended. Please sign in again.",
    "Ihre Sitzung ist zu Ende. Bitte melden Sie sich wieder an.",
  ],
  "error.authentication_failed": [
    "That did not sign you in. Check what you entered, or try another passkey.",
    "Damit konnten wir Sie nicht anmelden. Prüfen Sie Ihre Eingabe oder versuchen Sie einen anderen Passkey.",
  ],
  "error.signature_invalid": [
    "The passkey’s signature is not valid. Try another passkey, or start again.",
    "Die Signatur des Passkeys ist ungültig. Versuchen Sie einen anderen Passkey oder fangen Sie neu an.",
  ],
  "error.user_handle_mismatch": [
    "That passkey belongs to another account. Check the user name, or try another passkey.",
    "Dieser Passkey gehört zu einem anderen Konto. Prüfen Sie den Benutzernamen oder versuchen Sie einen anderen Passkey.",
  ],
  "error.user_handle_missing": [
    "This key does not say whose it is. Enter your user name, then sign in.",
    "Dieser Schlüssel sagt nicht, wem er gehört. Geben Sie Ihren Benutzernamen ein und melden Sie sich dann an.",
  ],
  "error.credential_not_found": [
    "This passkey is no longer known here; it was probably deleted. Use another one, or create an account.",
    "Dieser Passkey ist hier nicht mehr bekannt; wahrscheinlich wurde er gelöscht. Verwenden Sie einen anderen oder legen Sie ein Konto an.",
  ],
  "error.credential_revoked": ["This passkey was switched off. Use another one.", "Dieser Passkey wurde abgeschaltet. Verwenden Sie einen anderen."],
  "error.counter_regression": [
    "This passkey may have been copied, so it was not accepted. Sign in with another one and delete this one.",
    "Dieser Passkey wurde vielleicht kopiert und darum nicht angenommen. Melden Sie sich mit einem anderen an und löschen Sie diesen.",
  ],
  "error.password_required": ["Your password is needed as well.", "Ihr Passwort wird ebenfalls gebraucht."],
  "error.client_key_mismatch": ["Your client key is needed, and must be right.", "Ihr Client-Schlüssel wird gebraucht und muss stimmen."],

  // ── 403 ──
  "error.forbidden": ["You are not allowed to do that.", "Das dürfen Sie nicht."],
  "error.origin_not_allowed": [
    "This address may not be used to sign in. Check the address bar.",
    "Diese Adresse darf nicht zum Anmelden verwendet werden. Prüfen Sie die Adresszeile.",
  ],
  "error.step_up_required": [
    "Please confirm with your passkey that it is you.",
    "Bitte bestätigen Sie mit Ihrem Passkey, dass Sie es sind.",
  ],
  "error.account_locked": [
    "This account is locked. Ask whoever runs this service for help.",
    "Dieses Konto ist gesperrt. Wenden Sie sich an den Betreiber dieses Dienstes.",
  ],

  // ── 404, 405, 409 ──
  "error.not_found": ["That is no longer there.", "Das gibt es nicht mehr."],
  "error.method_not_allowed": [
    "The server does not offer that. Reload the page and try again.",
    "Das bietet der Server nicht an. Laden Sie die Seite neu und versuchen Sie es noch einmal.",
  ],
  "error.username_taken": ["That user name is taken. Choose another one.", "Dieser Benutzername ist vergeben. Wählen Sie einen anderen."],
  "error.credential_exists": ["This passkey is already registered.", "Dieser Passkey ist schon registriert."],
  "error.last_credential": [
    "This is your only way in, so it stays. Add another passkey first.",
    "Das ist Ihr einziger Zugang; darum bleibt er. Fügen Sie zuerst einen anderen Passkey hinzu.",
  ],

  // ── 413, 415, 429, 503, 500 ──
  "error.payload_too_large": ["That was more than the server takes in one go.", "Das war mehr, als der Server auf einmal annimmt."],
  "error.unsupported_media_type": [
    "The server did not understand this page. Reload it and try again.",
    "Der Server hat diese Seite nicht verstanden. Laden Sie sie neu und versuchen Sie es noch einmal.",
  ],
  "error.rate_limited": ["Too many attempts. {wait}", "Zu viele Versuche. {wait}"],
  "error.storage_unavailable": [
    "The server cannot reach its data right now. Nothing is lost; try again in a moment.",
    "Der Server erreicht gerade seine Daten nicht. Es ist nichts verloren; versuchen Sie es gleich noch einmal.",
  ],
  "error.busy": ["The server is very busy right now. Try again in a moment.", "Der Server ist gerade sehr beschäftigt. Versuchen Sie es gleich noch einmal."],
  "error.internal_error": [
    "Something went wrong on the server. Try again in a moment.",
    "Auf dem Server ist etwas schiefgegangen. Versuchen Sie es gleich noch einmal.",
  ],

  // ── Made in the browser ──
  "error.already_registered": [
    "You already have a passkey for this account on this device.",
    "Sie haben auf diesem Gerät schon einen Passkey für dieses Konto.",
  ],
  "error.cancelled": [
    "No passkey was used. You can try again whenever you like.",
    "Es wurde kein Passkey verwendet. Sie können es jederzeit noch einmal versuchen.",
  ],
  "error.http_error": [
    "The server could not answer that. Try again in a moment.",
    "Der Server konnte darauf nicht antworten. Versuchen Sie es gleich noch einmal.",
  ],
  "error.invalid_answer": [
    "The server’s answer could not be read. Reload the page and try again.",
    "Die Antwort des Servers war nicht lesbar. Laden Sie die Seite neu und versuchen Sie es noch einmal.",
  ],
  "error.network_error": [
    "The server cannot be reached. Check your connection and try again.",
    "Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.",
  ],
  "error.not_supported": [
    "This authenticator cannot make the kind of passkey that is needed here. Try another one.",
    "Dieser Authenticator kann die Art von Passkey nicht anlegen, die hier gebraucht wird. Versuchen Sie einen anderen.",
  ],
  "error.prompt_busy": [
    "A passkey prompt is already open. Finish or close it first.",
    "Eine Passkey-Abfrage ist schon offen. Beenden oder schließen Sie sie zuerst.",
  ],
  "error.prompt_failed": [
    "Your browser could not show its passkey prompt. Try again, or use another browser.",
    "Ihr Browser konnte seine Passkey-Abfrage nicht zeigen. Versuchen Sie es noch einmal oder verwenden Sie einen anderen.",
  ],
  "error.security_error": [
    "Passkeys cannot be used at this address. Check that you are on the right domain.",
    "Auf dieser Adresse können Passkeys nicht verwendet werden. Prüfen Sie, ob Sie auf der richtigen Domain sind.",
  ],
  "error.signed_in_meanwhile": [
    "You are signed in already. No new account was made; to make one, sign out first.",
    "Sie sind schon angemeldet. Es wurde kein neues Konto angelegt; melden Sie sich dafür zuerst ab.",
  ],
  "error.webauthn_unsupported": [
    "This browser cannot use passkeys. Open this page in a current browser, over https.",
    "Dieser Browser kann keine Passkeys verwenden. Öffnen Sie diese Seite in einem aktuellen Browser über https.",
  ],
  "error.unknown": [
    "Something went wrong. Reload the page and try again. {detail}",
    "Etwas ist schiefgegangen. Laden Sie die Seite neu und versuchen Sie es noch einmal. {detail}",
  ],

  // ── Made by the page ──
  "error.username_required": ["Enter your user name first.", "Geben Sie zuerst Ihren Benutzernamen ein."],
  "error.name_required": ["Enter a name first.", "Geben Sie zuerst einen Namen ein."],
  "error.other_name": ["That is another name.", "Das ist ein anderer Name."],
  "error.password_missing": ["Enter your password first.", "Geben Sie zuerst Ihr Passwort ein."],
  "error.password_short": ["Choose a password of at least 8 characters.", "Wählen Sie ein Passwort mit mindestens 8 Zeichen."],
  "error.password_short_alone": [
    "Choose a password of at least 15 characters.",
    "Wählen Sie ein Passwort mit mindestens 15 Zeichen.",
  ],
  "error.password_wrong": ["That is not the current password.", "Das ist nicht das bisherige Passwort."],
  "error.client_key_missing": ["Enter your client key first.", "Geben Sie zuerst Ihren Client-Schlüssel ein."],
  "error.email_missing": ["Enter an e-mail address first.", "Geben Sie zuerst eine E-Mail-Adresse ein."],
  "error.code_missing": ["Enter the code first.", "Geben Sie zuerst den Code ein."],
  "error.register_code_wrong": [
    "That is not the code. Look at the newest mail, and use the browser that asked for it.",
    "Das ist nicht der Code. Sehen Sie in die neueste E-Mail und verwenden Sie den Browser, in dem Sie ihn angefordert haben.",
  ],
  "error.register_code_used": [
    "{why} The code from the mail is used up now; have a new one mailed.",
    "{why} Der Code aus der E-Mail ist damit verbraucht; lassen Sie sich einen neuen schicken.",
  ],
  "error.recover_code_wrong": [
    "That is not the code, or it is no longer good. Look at the newest mail; after five tries, start again.",
    "Das ist nicht der Code, oder er gilt nicht mehr. Sehen Sie in die neueste E-Mail; nach fünf Versuchen fangen Sie neu an.",
  ],
  "error.recover_spare_wrong": [
    "That is not one of your recovery codes, or it was used before.",
    "Das ist keiner Ihrer Wiederherstellungscodes, oder er wurde schon verwendet.",
  ],
  "error.reason_missing": ["Say why first.", "Sagen Sie zuerst, warum."],
  "error.enrolment_dead": [
    "This link is no longer good: it was used before, or is too old. Ask for a new one.",
    "Dieser Link gilt nicht mehr: Er wurde schon verwendet oder ist zu alt. Bitten Sie um einen neuen.",
  ],
  "error.recovery_gone": [
    "It no longer waits: it was stopped, or somebody got in with it. Look at where you are signed in, and at your passkeys.",
    "Sie wartet nicht mehr: Sie wurde abgebrochen, oder jemand ist damit hereingekommen. Sehen Sie nach, wo Sie angemeldet sind, und nach Ihren Passkeys.",
  ],
  "error.link_dead": [
    "There is nothing to stop: the recovery is over, or the link was used before.",
    "Es gibt nichts abzubrechen: Die Wiederherstellung ist vorbei, oder der Link wurde schon verwendet.",
  ],
};
