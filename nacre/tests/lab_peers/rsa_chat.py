"""rsa-chat, either end, written from its wire format alone. Lines come from standard input, what is heard goes to
standard output.

    rsa_chat.py serve           prints the port; serves one client
    rsa_chat.py join PORT NAME
"""

import base64
import socket
import sys
import threading

from Cryptodome.Cipher import AES, PKCS1_OAEP
from Cryptodome.PublicKey import RSA
from Cryptodome.Random import get_random_bytes
from Cryptodome.Util.Padding import pad, unpad

from wire import exactly


def read_blob(sock):
    return exactly(sock, int(exactly(sock, 10)))


def write_blob(sock, body):
    sock.sendall(b"%010d" % len(body) + body)


def encrypt_message(message, aes_key):
    cipher = AES.new(aes_key, AES.MODE_CBC)
    return base64.b64encode(cipher.iv + cipher.encrypt(pad(message.encode(), AES.block_size)))


def decrypt_message(data, aes_key):
    data = base64.b64decode(data)
    cipher = AES.new(aes_key, AES.MODE_CBC, data[:16])
    return unpad(cipher.decrypt(data[16:]), AES.block_size).decode()


def handshake_of_server(sock):
    key = RSA.generate(2048)
    write_blob(sock, key.publickey().export_key())
    aes_key = PKCS1_OAEP.new(key).decrypt(read_blob(sock))
    assert len(aes_key) == 32
    write_blob(sock, encrypt_message("HANDSHAKE_OK", aes_key))
    print("name:", decrypt_message(read_blob(sock), aes_key), flush=True)
    return aes_key


def handshake_of_client(sock, name):
    pem = read_blob(sock)
    print("pem of", len(pem), "bytes", flush=True)
    aes_key = get_random_bytes(32)
    write_blob(sock, PKCS1_OAEP.new(RSA.import_key(pem)).encrypt(aes_key))
    assert decrypt_message(read_blob(sock), aes_key) == "HANDSHAKE_OK"
    write_blob(sock, encrypt_message(name, aes_key))
    return aes_key


def talk(sock, aes_key):
    def speak():
        for line in sys.stdin:
            line = line.rstrip("\n")
            # "!" sends what cannot be opened.
            write_blob(sock, b"broken" if line == "!" else encrypt_message(line, aes_key))

    threading.Thread(target=speak, daemon=True).start()
    try:
        while True:
            text = decrypt_message(read_blob(sock), aes_key)
            print("heard:", text, flush=True)
            if text == "/quit":
                break
    except (EOFError, ConnectionError):
        pass
    print("over", flush=True)


def main():
    if sys.argv[1] == "serve":
        listener = socket.create_server(("127.0.0.1", 0))
        print("port", listener.getsockname()[1], flush=True)
        sock, _ = listener.accept()
        aes_key = handshake_of_server(sock)
    else:
        sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        aes_key = handshake_of_client(sock, sys.argv[3])
    print("ready", flush=True)
    talk(sock, aes_key)
    sock.close()


if __name__ == "__main__":
    main()
