"""dh-chat with its fixes, a client written from docs/LAB.md alone. Lines come from standard input, what is heard goes
to standard output.

    dh_chat_mended.py join PORT FIXES FINGERPRINT   FIXES such as F1,F2; the server's key must have the fingerprint
    dh_chat_mended.py fingerprint                   of the user's key, which is always the same
"""

import base64
import hashlib
import hmac
import os
import socket
import struct
import sys
import threading

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dh_chat import P, read_frame, seal_bytes, unseal_bytes, write_frame

USER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = USER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def fingerprint(public):
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


class Way:
    """One direction."""

    def __init__(self, fixes, key, name):
        self.fixes, self.count = fixes, 0
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
        body = seal_bytes(self.key, (struct.pack(">Q", self.count) if inside else b"") + text)
        if "F2" in self.fixes:
            body += self._seal_of(body)
        self._done()
        return body

    def open(self, body):
        if "F2" in self.fixes:
            body, tag = body[:-32], body[-32:]
            assert hmac.compare_digest(tag, self._seal_of(body))
        text = unseal_bytes(self.key, body)
        if "F3" in self.fixes and "F2" not in self.fixes:
            (number,) = struct.unpack(">Q", text[:8])
            assert number == self.count
            text = text[8:]
        self._done()
        return text


def main():
    if sys.argv[1] == "fingerprint":
        print(fingerprint(PUBLIC))
        return
    fixes, trust = set(sys.argv[3].split(",")), sys.argv[4]
    sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    exponent = int.from_bytes(os.urandom(64), "big")
    ours = pow(2, exponent, P).to_bytes(256, "big")
    sent = [read_frame(sock) for _ in range(3)] + [ours]
    write_frame(sock, ours)
    secret = pow(int.from_bytes(sent[2], "big"), exponent, P).to_bytes(256, "big")
    key = hashlib.pbkdf2_hmac("sha256", secret, b"dh-chat fixed salt", 100_000, 32)
    if "F10" in fixes:
        key = mac(b"dh-chat fixed salt", secret)
    transcript = hashlib.sha256(b"".join(struct.pack(">I", len(value)) + value for value in sent)).digest()
    if "F1" in fixes:
        proof = read_frame(sock)
        assert fingerprint(proof[:32]) == trust
        Ed25519PublicKey.from_public_bytes(proof[:32]).verify(proof[32:], b"the server's key" + transcript)
        print("proven", flush=True)
    outbound, inbound = Way(fixes, key, b"client to server"), Way(fixes, key, b"server to client")
    if "F7" in fixes:
        proof = PUBLIC + USER.sign(b"the user's key" + transcript)
        write_frame(sock, outbound.seal(proof))
    print("ready", flush=True)

    def speak():
        for line in sys.stdin:
            write_frame(sock, outbound.seal(line.rstrip("\n").encode()))

    threading.Thread(target=speak, daemon=True).start()
    try:
        while True:
            print("heard:", inbound.open(read_frame(sock)).decode(), flush=True)
    except (EOFError, ConnectionError):
        pass
    print("over", flush=True)


main()
