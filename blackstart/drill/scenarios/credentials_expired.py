"""The API answers, but no longer to these credentials: never a proof of loss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from blackstart.config.workspace import write_private
from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded import control_plane
from blackstart.embedded.place import Place


def fault(bed: Bed, seed: int) -> Damage:
    """A certificate that the cluster's CA did not sign, wherever the kubeconfig comes from; put back afterwards."""
    place = Place(bed.ws)
    pki = place.cluster / "pki"
    before = {file: file.read_text() for file in (pki / "admin.crt", pki / "admin.key", bed.ws.kubeconfig)}
    certificate, key = _unknown()
    write_private(pki / "admin.crt", certificate)
    write_private(pki / "admin.key", key)
    write_private(bed.ws.kubeconfig, control_plane.kubeconfig(place))

    def mend() -> None:
        for file, text in before.items():
            write_private(file, text)

    return Damage(mend=mend)


def _unknown() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    today = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(today).not_valid_after(today + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return certificate.decode(), key.private_bytes(serialization.Encoding.PEM, pem, plain).decode()


SCENARIO = Scenario("credentials-expired", fault, exit_code=8)
