"""rsa-chat with its fixes, a client written from docs/LAB.md alone. Lines come from standard input, what is heard goes
to standard output.

    rsa_chat_mended.py join PORT FIXES FINGERPRINT NAME
"""

import base64
import socket
import sys
import threading

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from Cryptodome.Cipher import PKCS1_OAEP
from Cryptodome.PublicKey import RSA
from Cryptodome.Random import get_random_bytes

from dh_chat import seal_bytes, unseal_bytes
from mended import RAW, check_server, hkdf, prove_user, ways
from rsa_chat import read_blob, write_blob


def main():
    fixes, trust, name = set(sys.argv[3].split(",")), sys.argv[4], sys.argv[5]
    sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    pem = read_blob(sock)
    if "F5" in fixes:
        private, theirs = X25519PrivateKey.generate(), read_blob(sock)
        ours = private.public_key().public_bytes(*RAW)
        key = hkdf(private.exchange(X25519PublicKey.from_public_bytes(theirs)), b"rsa-chat fresh key")
        sent = [pem, theirs, ours]
    else:
        key = get_random_bytes(32)
        ours = PKCS1_OAEP.new(RSA.import_key(pem)).encrypt(key)
        sent = [pem, ours]
    write_blob(sock, ours)
    if "F1" in fixes:
        check_server(read_blob(sock), sent, trust)
    outbound, inbound = ways(fixes, key, (seal_bytes, unseal_bytes))

    def say(text):
        write_blob(sock, base64.b64encode(outbound.seal(text)))

    def hear():
        return inbound.open(base64.b64decode(read_blob(sock))).decode()

    assert hear() == "HANDSHAKE_OK"
    if "F7" in fixes:
        say(prove_user(sent))
    say(name.encode())
    print("ready", flush=True)

    def speak():
        for line in sys.stdin:
            say(line.rstrip("\n").encode())

    threading.Thread(target=speak, daemon=True).start()
    try:
        while True:
            print("heard:", hear(), flush=True)
    except (EOFError, ConnectionError):
        pass
    print("over", flush=True)


main()
