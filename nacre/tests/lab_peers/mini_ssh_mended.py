"""mini-ssh with its fixes, a client written from docs/LAB.md alone. Lines come from standard input, what is heard goes
to standard output.

    mini_ssh_mended.py join PORT FIXES FINGERPRINT
"""

import base64
import socket
import sys

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from dh_chat import read_frame, write_frame
from mended import RAW, check_server, hkdf, prove_user, ways


def fernet(key):
    return Fernet(base64.urlsafe_b64encode(key))


CIPHER = (lambda key, text: fernet(key).encrypt(text), lambda key, token: fernet(key).decrypt(token))


def main():
    fixes, trust = set(sys.argv[3].split(",")), sys.argv[4]
    sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    private = X25519PrivateKey.generate()
    ours = private.public_key().public_bytes(*RAW)
    write_frame(sock, ours)
    theirs = read_frame(sock)
    sent = [ours, theirs]
    if "F1" in fixes:
        check_server(read_frame(sock), sent, trust)
    key = hkdf(private.exchange(X25519PublicKey.from_public_bytes(theirs)), b"mini-ssh session key")
    outbound, inbound = ways(fixes, key, CIPHER)

    def hear():
        text = inbound.open(read_frame(sock)).decode()
        print("heard:", text, flush=True)

    if "F7" in fixes:
        write_frame(sock, outbound.seal(prove_user(sent)))
    print("ready", flush=True)
    hear()
    for line in sys.stdin:
        write_frame(sock, outbound.seal(line.rstrip("\n").encode()))
        hear()
    print("over", flush=True)


main()
