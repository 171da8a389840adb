"""The fixes, as docs/LAB.md has them, for the peers that have them."""

import base64
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RAW = (Encoding.Raw, PublicFormat.Raw)
USER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = USER.public_key().public_bytes(*RAW)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(secret, info):
    return HKDF(hashes.SHA256(), 32, None, info).derive(secret)


def fingerprint(public):
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def transcript(values):
    return hashlib.sha256(b"".join(struct.pack(">I", len(value)) + value for value in values)).digest()


def check_server(proof, sent, trust):
    """F1: the proof that the server sends."""
    assert fingerprint(proof[:32]) == trust
    Ed25519PublicKey.from_public_bytes(proof[:32]).verify(proof[32:], b"the server's key" + transcript(sent))
    print("proven", flush=True)


def prove_user(sent):
    """F7: the proof that the client sends."""
    return PUBLIC + USER.sign(b"the user's key" + transcript(sent))


class Way:
    """One direction. `cipher` seals and opens bytes with a key, as the protocol does without fixes."""

    def __init__(self, fixes, key, name, cipher):
        self.fixes, self.count = fixes, 0
        self.cipher_seal, self.cipher_open = cipher
        self.key = mac(key, name) if "F4" in fixes else key

    def _done(self):
        self.count += 1
        if "F8" in self.fixes and self.count % 16 == 0:
            self.key = mac(self.key, b"next")

    def _seal_of(self, body):
        number = struct.pack(">Q", self.count) if "F3" in self.fixes else b""
        return mac(mac(self.key, b"mac"), number + body)

    def seal(self, text):
        inside = "F3" in self.fixes and "F2" not in self.fixes
        body = self.cipher_seal(self.key, (struct.pack(">Q", self.count) if inside else b"") + text)
        if "F2" in self.fixes:
            body += self._seal_of(body)
        self._done()
        return body

    def open(self, body):
        if "F2" in self.fixes:
            body, tag = body[:-32], body[-32:]
            assert hmac.compare_digest(tag, self._seal_of(body))
        text = self.cipher_open(self.key, body)
        if "F3" in self.fixes and "F2" not in self.fixes:
            (number,) = struct.unpack(">Q", text[:8])
            assert number == self.count
            text = text[8:]
        self._done()
        return text


def ways(fixes, key, cipher):
    """What a client says, and what it hears."""
    return Way(fixes, key, b"client to server", cipher), Way(fixes, key, b"server to client", cipher)
