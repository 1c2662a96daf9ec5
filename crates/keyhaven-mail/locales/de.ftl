greeting = Hallo { $username },
greeting-unnamed = Guten Tag,
closing = Sie erhalten diese Nachricht, weil diese Adresse bei { $service } verwendet wird.
detail-time = Zeit
detail-ip = Netzadresse
detail-device = Gerät
link-hint = Falls die Schaltfläche nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:

verify-address = Bestätigen Sie Ihre E-Mail-Adresse
    .body =
        Jemand, vermutlich Sie, hat diese Adresse bei { $service } angegeben.

        Um zu bestätigen, dass sie Ihnen gehört, öffnen Sie den Link in dem Browser, in dem Sie angemeldet sind. Er gilt einmal, bis { $until }.

        Falls Sie es nicht waren, brauchen Sie nichts zu tun: Ohne Ihre Bestätigung wird die Adresse vergessen.
    .button = Adresse bestätigen

change-address = Bestätigen Sie Ihre neue E-Mail-Adresse
    .body =
        Diese Adresse soll die Adresse Ihres Kontos bei { $service } werden.

        Um sie zu bestätigen, öffnen Sie den Link in dem Browser, in dem Sie angemeldet sind. Er gilt einmal, bis { $until }.
    .button = Neue Adresse bestätigen

address-changing = Ihre E-Mail-Adresse soll geändert werden
    .body =
        Jemand, der in Ihrem Konto bei { $service } angemeldet ist, möchte dessen E-Mail-Adresse in { $address } ändern.

        Waren Sie es, ist nichts zu tun. Andernfalls melden Sie sich an, beenden Sie die anderen Sitzungen und entfernen Sie Passkeys, die Sie nicht kennen.
    .button = Mein Konto prüfen

address-changed = Ihre E-Mail-Adresse wurde geändert
    .body =
        Die E-Mail-Adresse Ihres Kontos bei { $service } ist jetzt { $address }. Die bisherige Adresse wird nicht mehr verwendet.

        Falls Sie es nicht waren, wenden Sie sich sofort an { $service }.

address-in-use = Jemand hat Ihre E-Mail-Adresse angegeben
    .body =
        Jemand hat diese Adresse bei { $service } angegeben, wo sie schon zu Ihrem Konto gehört. Es hat sich nichts geändert.

        Waren Sie es, melden Sie sich mit dem Namen Ihres Kontos an, oder stellen Sie es wieder her.

registration-code = Ihr Registrierungscode
    .body =
        Jemand, vermutlich Sie, möchte mit dieser Adresse ein Konto bei { $service } anlegen. Der folgende Code gilt einmal, bis { $until }, in dem Browser, der ihn angefordert hat. Der Link trägt ihn dort ein.

        Niemand von { $service } wird Sie je nach diesem Code fragen. Falls Sie es nicht waren, brauchen Sie nichts zu tun: Es wird kein Konto angelegt.
    .button = Im selben Browser fortfahren

already-registered = Sie haben bereits ein Konto
    .body =
        Jemand, vermutlich Sie, wollte mit dieser Adresse ein Konto bei { $service } anlegen, und es gibt bereits eines. Es hat sich nichts geändert.

        Waren Sie es, melden Sie sich an, oder stellen Sie Ihr Konto wieder her. Waren Sie es nicht, brauchen Sie nichts zu tun.
    .button = Anmelden

recovery-code = Ihr Wiederherstellungscode
    .body =
        Jemand, vermutlich Sie, möchte das Konto bei { $service } wiederherstellen, zu dem diese Adresse gehört. Der folgende Code gilt einmal, bis { $until }, in dem Browser, der ihn angefordert hat.

        Niemand von { $service } wird Sie je nach diesem Code fragen. Falls Sie es nicht waren, brauchen Sie nichts zu tun.

recovery-waiting = Die Wiederherstellung Ihres Kontos wurde verlangt
    .body =
        Ein richtiger Wiederherstellungscode wurde eingegeben. Weil Ihr Konto Passkeys hat, kann es ab { $until } wiederhergestellt werden.

        Falls Sie es nicht waren, brechen Sie jetzt ab: Ein Klick genügt.
    .button = Wiederherstellung abbrechen

recovery-done = Ihr Konto wurde wiederhergestellt
    .body =
        Nach einer Wiederherstellung wurde Ihrem Konto bei { $service } ein neuer Passkey hinzugefügt. Alle anderen Sitzungen wurden beendet.

        Falls Sie es nicht waren, wenden Sie sich sofort an { $service }.

passkey-added = Ein Passkey wurde hinzugefügt
    .body =
        Der Passkey „{ $passkey }“ wurde Ihrem Konto bei { $service } hinzugefügt. Mit ihm kann man sich anmelden.

        Falls Sie es nicht waren, melden Sie sich an und entfernen Sie ihn.
    .button = Meine Passkeys prüfen

passkey-removed = Ein Passkey wurde entfernt
    .body =
        Der Passkey „{ $passkey }“ wurde aus Ihrem Konto bei { $service } entfernt. Mit ihm kann man sich nicht mehr anmelden.

        Falls Sie es nicht waren, melden Sie sich an und prüfen Sie Ihr Konto.
    .button = Mein Konto prüfen

passkey-cloned = Ein Passkey wurde möglicherweise kopiert
    .body =
        Der Passkey „{ $passkey }“ wurde bei { $service } so verwendet, dass es wohl eine Kopie von ihm gibt. { $response ->
            [reported] Die Anmeldung wurde zugelassen: Prüfen Sie Ihre Sitzungen, und beenden Sie solche, die Sie nicht kennen
            [revoked] Um Ihr Konto zu schützen, wurde er dauerhaft abgeschaltet, und die mit ihm geöffneten Sitzungen wurden beendet
            [suspended] Um Ihr Konto zu schützen, wurde er gesperrt, und die mit ihm geöffneten Sitzungen wurden beendet
           *[refused] Um Ihr Konto zu schützen, wurde er dieses Mal abgelehnt
        }.

        Melden Sie sich mit einem anderen Passkey an, oder stellen Sie Ihr Konto wieder her, und registrieren Sie dieses Gerät neu.
    .button = Meine Passkeys prüfen

new-device = Anmeldung mit einem neuen Gerät
    .body =
        In Ihrem Konto bei { $service } hat sich jemand mit einem Browser oder Gerät angemeldet, das dort bisher nicht verwendet wurde.

        Waren Sie es, ist nichts zu tun. Andernfalls beenden Sie diese Sitzung und entfernen Sie Passkeys, die Sie nicht kennen.
    .button = Meine Sitzungen prüfen

password-changed = Ihr Passwort wurde geändert
    .body =
        Das Passwort Ihres Kontos bei { $service } wurde geändert. Alle anderen Sitzungen wurden beendet.

        Falls Sie es nicht waren, stellen Sie Ihr Konto sofort wieder her.
    .button = Mein Konto prüfen

recovery-codes-made = Neue Wiederherstellungscodes
    .body =
        Für Ihr Konto bei { $service } wurden neue Wiederherstellungscodes erzeugt. Die bisherigen gelten nicht mehr.

        Falls Sie es nicht waren, melden Sie sich an und prüfen Sie Ihr Konto.
    .button = Mein Konto prüfen

enrolment-link = Fügen Sie Ihrem Konto einen Passkey hinzu
    .body =
        Die Verwaltung von { $service } lädt Sie ein, Ihrem Konto einen Passkey hinzuzufügen. Der Link gilt einmal, bis { $until }.
    .button = Passkey hinzufügen

enrolment-used = Der Link für einen neuen Passkey wurde verwendet
    .body =
        Der Link, mit dem die Verwaltung von { $service } Sie Ihrem Konto einen Passkey hinzufügen lässt, wurde verwendet.

        Falls Sie es nicht waren, wenden Sie sich sofort an { $service }.

account-deleted = Ihr Konto wurde gelöscht
    .body =
        Ihr Konto bei { $service } wurde gelöscht, mit seinen Passkeys und Sitzungen.

        Falls Sie es nicht waren, wenden Sie sich sofort an { $service }.
