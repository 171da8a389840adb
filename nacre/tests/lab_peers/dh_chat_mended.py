"""dh-chat with its fixes, a client written from docs/LAB.md alone. Lines come from standard input, what is heard goes
to standard output.

    dh_chat_mended.py join PORT FIXES FINGERPRINT   FIXES such as F1,F2; the server's key must have the fingerprint
    dh_chat_mended.py fingerprint                   of the user's key, which is always the same
"""

import hashlib
import os
import socket
import sys
import threading

from dh_chat import P, read_frame, seal_bytes, unseal_bytes, write_frame
from mended import PUBLIC, check_server, fingerprint, mac, prove_user, ways


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
    if "F1" in fixes:
        check_server(read_frame(sock), sent, trust)
    outbound, inbound = ways(fixes, key, (seal_bytes, unseal_bytes))
    if "F7" in fixes:
        write_frame(sock, outbound.seal(prove_user(sent)))
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
