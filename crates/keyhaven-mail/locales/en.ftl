# What Keyhaven's mails say. Each mail is one message: its value is the subject, its attributes are the parts of the
# body. A blank line in .body begins a new paragraph. Neither subject nor button may contain anything that a user chose.

greeting = Hello { $username },
greeting-unnamed = Hello,
closing = You get this mail because this address is used at { $service }.
detail-time = Time
detail-ip = Network address
detail-device = Device
link-hint = If the button does not work, copy this address into your browser:

verify-address = Confirm your e-mail address
    .body =
        Somebody, probably you, entered this address at { $service }.

        To confirm that it is yours, open the link in the browser in which you are signed in. It works once, until { $until }.

        If it was not you, do nothing: without your confirmation the address is forgotten.
    .button = Confirm address

change-address = Confirm your new e-mail address
    .body =
        This address is to become the address of your account at { $service }.

        To confirm it, open the link in the browser in which you are signed in. It works once, until { $until }.
    .button = Confirm new address

address-changing = Your e-mail address is about to change
    .body =
        Somebody who is signed in to your account at { $service } asked to change its e-mail address to { $address }.

        If it was you, there is nothing to do. If it was not, sign in, end the other sessions and remove passkeys that you do not know.
    .button = Review my account

address-changed = Your e-mail address was changed
    .body =
        The e-mail address of your account at { $service } is now { $address }. This address is no longer used.

        If it was not you, contact { $service } at once.

address-in-use = Somebody entered your e-mail address
    .body =
        Somebody entered this address at { $service }, where it belongs to your account already. Nothing has changed.

        If it was you, sign in with your account's name, or recover it.

registration-code = Your registration code
    .body =
        Somebody, probably you, wants to make an account at { $service } with this address. The code below works once, until { $until }, in the browser that asked for it. The link fills it in there.

        Nobody from { $service } will ever ask you for this code. If it was not you, do nothing: no account is made.
    .button = Continue in the same browser

already-registered = You already have an account
    .body =
        Somebody, probably you, wanted to make an account at { $service } with this address, and there is one already. Nothing has changed.

        If it was you, sign in, or recover your account. If it was not, do nothing.
    .button = Sign in

recovery-code = Your recovery code
    .body =
        Somebody, probably you, asked to recover the account at { $service } that belongs to this address. The code below works once, until { $until }, in the browser that asked for it.

        Nobody from { $service } will ever ask you for this code. If it was not you, do nothing.

recovery-waiting = Recovery of your account was requested
    .body =
        A correct recovery code was entered. Because your account has passkeys, it can be recovered from { $until } on.

        If it was not you, cancel it now: it is one click.
    .button = Cancel the recovery

recovery-done = Your account was recovered
    .body =
        A new passkey was added to your account at { $service } after recovery. All other sessions were ended.

        If it was not you, contact { $service } at once.

passkey-added = A passkey was added
    .body =
        The passkey “{ $passkey }” was added to your account at { $service }. It can be used to sign in.

        If it was not you, sign in and remove it.
    .button = Review my passkeys

passkey-removed = A passkey was removed
    .body =
        The passkey “{ $passkey }” was removed from your account at { $service }. It can no longer be used to sign in.

        If it was not you, sign in and review your account.
    .button = Review my account

passkey-cloned = A passkey may have been copied
    .body =
        The passkey “{ $passkey }” was used at { $service } in a way that suggests that a copy of it exists. { $response ->
            [reported] The sign-in was let in: look at your sessions, and end those that you do not know
            [revoked] To protect your account, it was switched off for good, and the sessions that it had opened were ended
            [suspended] To protect your account, it was suspended, and the sessions that it had opened were ended
           *[refused] To protect your account, it was refused this time
        }.

        Sign in with another passkey, or recover your account, and register this device again.
    .button = Review my passkeys

new-device = A new device signed in
    .body =
        Your account at { $service } was signed in to from a browser or device that it had not been used on before.

        If it was you, there is nothing to do. If it was not, end that session and remove passkeys that you do not know.
    .button = Review my sessions

password-changed = Your password was changed
    .body =
        The password of your account at { $service } was changed. All other sessions were ended.

        If it was not you, recover your account at once.
    .button = Review my account

recovery-codes-made = New recovery codes were made
    .body =
        New recovery codes were made for your account at { $service }. The ones before no longer work.

        If it was not you, sign in and review your account.
    .button = Review my account

enrolment-link = Add a passkey to your account
    .body =
        An administrator of { $service } invites you to add a passkey to your account. The link works once, until { $until }.
    .button = Add a passkey

enrolment-used = The link to add a passkey was used
    .body =
        The link by which an administrator of { $service } lets you add a passkey to your account was used.

        If it was not you, contact { $service } at once.

account-deleted = Your account was deleted
    .body =
        Your account at { $service } was deleted, with its passkeys and sessions.

        If it was not you, contact { $service } at once.
