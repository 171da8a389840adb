"""mini-ssh, either end, written from its wire format alone. Lines come from standard input, what is heard goes to
standard output.

    mini_ssh.py serve           prints the port; serves one client, who may be "guest" with "guest"
    mini_ssh.py join PORT
"""

import base64
import socket
import struct
import sys

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wire import exactly


class Peer:
    def __init__(self, sock, serves):
        self.sock = sock
        private = X25519PrivateKey.generate()
        raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        if not serves:
            self.write(private.public_key().public_bytes(*raw))
        theirs = self.read()
        assert len(theirs) == 32
        if serves:
            self.write(private.public_key().public_bytes(*raw))
        shared = private.exchange(X25519PublicKey.from_public_bytes(theirs))
        key = HKDF(hashes.SHA256(), 32, None, b"mini-ssh session key").derive(shared)
        self.fernet = Fernet(base64.urlsafe_b64encode(key))

    def read(self):
        (length,) = struct.unpack(">I", exactly(self.sock, 4))
        return exactly(self.sock, length)

    def write(self, body):
        self.sock.sendall(struct.pack(">I", len(body)) + body)

    def say(self, text):
        self.write(self.fernet.encrypt(text.encode()))

    def hear(self):
        return self.fernet.decrypt(self.read()).decode()


def serve():
    listener = socket.create_server(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    sock, _ = listener.accept()
    peer = Peer(sock, True)
    for _ in range(3):
        peer.say("Username: ")
        name = peer.hear()
        peer.say("Password: ")
        if (name, peer.hear()) == ("guest", "guest"):
            peer.say("AUTH_OK")
            break
        peer.say("AUTH_FAILED")
    else:
        return
    while (command := peer.hear()) != "exit":
        print("heard:", command, flush=True)
        peer.say("first of " + command + "\nsecond\n" if command != "true" else "")
    peer.say("BYE")


def join():
    peer = Peer(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), False)
    print("heard:", peer.hear(), flush=True)
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line == "!":
            # What does not verify.
            peer.write(Fernet(Fernet.generate_key()).encrypt(b"whoami"))
        else:
            peer.say(line)
        try:
            text = peer.hear()
            print("heard:", text, flush=True)
            if text == "AUTH_FAILED":
                print("heard:", peer.hear(), flush=True)
        except (EOFError, ConnectionError):
            break
    print("over", flush=True)


serve() if sys.argv[1] == "serve" else join()
