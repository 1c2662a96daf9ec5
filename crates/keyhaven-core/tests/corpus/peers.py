"""Runs the corpus through two verifiers of other authors, py_webauthn and python-fido2.

    pip install webauthn==3.0.1 fido2==2.2.1
    python3 peers.py > confirmed.tsv

Prints the id of every case whose verdict another implementation confirms, who, and the beginning of the SHA-256 of the
case's text: a confirmation is of these bytes and no others. A refusal counts as confirmed only
where the same implementation accepts the unspoiled twin, so that a feature it lacks confirms nothing.
"""

import base64
import glob
import hashlib
import json
import os

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fido2.attestation import AttestationVerifier
from fido2.attestation import AndroidSafetynetAttestation, AppleAttestation, FidoU2FAttestation
from fido2.attestation import NoneAttestation, PackedAttestation, TpmAttestation
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.webauthn import AttestedCredentialData, PublicKeyCredentialRpEntity
from fido2 import cbor
import webauthn
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import AttestationFormat


def b64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def expressible(case):
    """What neither of the two has a setting for: their verdict would not be about this policy."""
    policy = case.get("attestation", {})
    return not (
        case.get("crossOrigin")
        or case.get("appid")
        or case.get("profile") == "fido"
        or case.get("signCountRegression")
        or case.get("backup")
        or case.get("canonicalCbor")
        or case.get("extensions")
        or policy.get("compound")
        or policy.get("enterprise")
        or policy.get("revocationLists")
        or policy.get("androidKey")
        or policy.get("policy") == "trusted" and policy["at"] != "2026-01-01T00:00:00Z"
    )


def py_webauthn(case):
    response, challenge = case["response"], b64u(case["challenge"])
    uv = case.get("userVerification", "required") == "required"
    if case["kind"] == "registration":
        offered = case.get("algorithms")
        algorithms = [a for a in COSEAlgorithmIdentifier if offered is None or a.value in offered]
        roots = {}
        policy = case.get("attestation", {})
        if policy.get("policy") == "trusted":
            pems = [
                x509.load_der_x509_certificate(base64.b64decode(a)).public_bytes(Encoding.PEM)
                for a in policy["trustAnchors"]
            ]
            roots = {format: pems for format in AttestationFormat}
        webauthn.verify_registration_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=case["rpId"],
            expected_origin=case["origins"],
            require_user_presence=case.get("mediation") != "conditional",
            require_user_verification=uv,
            supported_pub_key_algs=algorithms,
            pem_root_certs_bytes_by_fmt=roots,
        )
    else:
        stored = case["credential"]
        allowed = case.get("allowCredentials")
        assert not allowed or response["id"] in allowed
        webauthn.verify_authentication_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=case["rpId"],
            expected_origin=case["origins"],
            credential_public_key=b64u(stored["publicKey"]),
            credential_current_sign_count=stored.get("signCount", 0),
            require_user_verification=uv,
        )


class Verifier(AttestationVerifier):
    def __init__(self, anchors):
        super().__init__(
            [
                NoneAttestation(), PackedAttestation(), TpmAttestation(), AppleAttestation(),
                FidoU2FAttestation(), AndroidSafetynetAttestation(),
            ]
        )
        self.anchors = anchors

    def ca_lookup(self, attestation_result, auth_data):
        if not self.anchors:
            return None
        top = x509.load_der_x509_certificate(attestation_result.trust_path[-1])
        for anchor in self.anchors:
            if x509.load_der_x509_certificate(anchor).subject == top.issuer:
                return anchor
        return None


class StatementOnly(Verifier):
    """Verifies the statement, and leaves trust alone."""

    def verify_attestation(self, attestation_object, client_data_hash):
        statement = next(
            (a for a in self._attestation_types if a.FORMAT == attestation_object.fmt), None
        )
        assert statement
        statement.verify(attestation_object.att_stmt, attestation_object.auth_data, client_data_hash)


def python_fido2(case):
    policy = case.get("attestation", {})
    trusted = policy.get("policy") == "trusted"
    anchors = [base64.b64decode(a) for a in policy.get("trustAnchors", [])]
    verifier = Verifier(anchors) if trusted else StatementOnly([])
    server = Fido2Server(
        PublicKeyCredentialRpEntity(id=case["rpId"], name="x"),
        attestation="direct",
        verify_origin=lambda origin: origin in case["origins"],
        verify_attestation=verifier,
    )
    state = {
        "challenge": case["challenge"],
        "user_verification": case.get("userVerification", "required"),
    }
    if case["kind"] == "registration":
        offered = case.get("algorithms")
        data = server.register_complete(state, case["response"])
        key = data.credential_data.public_key
        assert offered is None or key[3] in offered
        # Importing the key is part of registration here, and of the first assertion there.
        key.from_cryptography_key  # noqa: B018: an unsupported algorithm has none
    else:
        stored = case["credential"]
        id, key = b64u(stored["id"]), cbor.decode(b64u(stored["publicKey"]))
        allowed = case.get("allowCredentials")
        assert not allowed or case["response"]["id"] in allowed
        credential = AttestedCredentialData.create(b"\0" * 16, id, CoseKey.parse(key))
        server.authenticate_complete(state, [credential], case["response"])


def accepts(verify, case):
    try:
        verify(case)
        return True
    except Exception:  # noqa: BLE001: whatever it says, it does not accept
        return False


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "*.jsonl"))):
        accepted = {}
        for text in open(path, encoding="utf-8"):
            line = json.loads(text)
            case = line["case"]
            # As it stands in the line, whose last member it is.
            digest = hashlib.sha256(text.split('"case":', 1)[1].rstrip()[:-1].encode()).hexdigest()[:16]
            confirmed = []
            for name, verify in (("py_webauthn", py_webauthn), ("python-fido2", python_fido2)):
                yes = expressible(case) and accepts(verify, case)
                if line["expect"]["verdict"] == "ok":
                    accepted[name, line["id"]] = yes
                    if yes:
                        confirmed.append(name)
                elif expressible(case) and not yes and accepted.get((name, line["twin"])):
                    confirmed.append(name)
            if confirmed:
                print(line["id"], " ".join(confirmed), digest, sep="\t")


if __name__ == "__main__":
    main()
