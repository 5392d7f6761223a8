"""What is sealed in a database, opened and sealed outside of the server: AES-256-GCM of OpenSSL, keys out of texts."""
import base64
import ctypes
import ctypes.util
import hashlib
import json
import os
import sqlite3
import struct

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
    getattr(_crypto, _name).restype = ctypes.c_void_p
NONCE, TAG, SET_TAG, GET_TAG, LAST = 12, 16, 0x11, 0x10, 2 ** 64 - 1
OLD = struct.Struct(">QQQ")


def hashed(text):
    """The key of a text without stretching."""
    return hashlib.sha256(b"tenterhook secret key 1\n" + text.encode()).digest()


def stretched(text, form):
    """The key of a phrase in a store with this key form."""
    assert len(form) == 20 and form[0] == 2, form
    return hashlib.scrypt(hashed(text), salt=form[4:], n=1 << form[1], r=form[2], p=form[3], maxmem=1 << 28, dklen=32)


def _gcm(key, nonce, aad, data, tag):
    context = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    out, n = ctypes.create_string_buffer(len(data) + 16), ctypes.c_int()
    seal = tag is None
    init, update, final = ((_crypto.EVP_EncryptInit_ex, _crypto.EVP_EncryptUpdate, _crypto.EVP_EncryptFinal_ex) if seal else
                           (_crypto.EVP_DecryptInit_ex, _crypto.EVP_DecryptUpdate, _crypto.EVP_DecryptFinal_ex))
    assert init(context, ctypes.c_void_p(_crypto.EVP_aes_256_gcm()), None, key, nonce) == 1
    assert update(context, None, ctypes.byref(n), aad, len(aad)) == 1
    assert update(context, out, ctypes.byref(n), data, len(data)) == 1
    result = out.raw[:len(data)]
    if not seal:
        _crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, tag)
    good = final(context, out, ctypes.byref(n)) == 1
    made = ctypes.create_string_buffer(TAG)
    if seal:
        _crypto.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG, made)
    _crypto.EVP_CIPHER_CTX_free(context)
    return result + made.raw[:TAG] if seal else result if good else None


def opened(key, aad, sealed):
    """The plain text, or None."""
    return _gcm(key, sealed[:NONCE], aad, sealed[NONCE:-TAG], sealed[-TAG:])


def closed(key, aad, plain):
    nonce = os.urandom(NONCE)
    return nonce + _gcm(key, nonce, aad, plain, None)


class Sealed:
    """The database of a server that does not run."""

    def __init__(self, data):
        self.base = sqlite3.connect(data / "tenterhook.db")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.base.commit()
        self.base.close()

    def meta(self, name):
        return dict(self.base.execute("SELECT k,v FROM meta")).get(name)

    def secrets(self):
        """(number, associated data, sealed bytes) of every secret."""
        return [(no, OLD.pack(tenant, endpoint, no), bytes(sealed))
                for no, tenant, endpoint, sealed in self.base.execute("SELECT no,tenant,endpoint,sealed FROM secret")]

    def answers(self):
        """(rowid of the tuple, associated data of before, key, sealed bytes) of kept answers."""
        return [((day, tenant, key), OLD.pack(tenant, LAST, 0), bytes(key), bytes(answer)) for day, tenant, key, answer in
                self.base.execute("SELECT day,tenant,key,answer FROM config_idem") if answer]

    def put_answer(self, place, answer):
        self.base.execute("UPDATE config_idem SET answer=? WHERE day=? AND tenant=? AND key=?", (answer, *place))

    def as_before(self, text):
        """Makes it what a version without key forms would have left: everything sealed with the hash of the text."""
        new, old = stretched(text, self.meta("key_form")), hashed(text)

        def again(aad, sealed):
            plain = opened(new, aad, sealed)
            assert plain is not None
            return closed(old, aad, plain)

        for no, aad, sealed in self.secrets():
            self.base.execute("UPDATE secret SET sealed=? WHERE no=?", (again(aad, sealed), no))
        for table, number in (("endpoint", "no"), ("endpoint_rev", "endpoint")):
            tenants = dict(self.base.execute("SELECT no,tenant FROM endpoint"))
            for no, rev, text_ in self.base.execute(f"SELECT {number},rev,conf FROM {table}").fetchall():
                conf = json.loads(text_)
                if "headers_sealed" not in conf:
                    continue
                conf["headers_sealed"] = base64.b64encode(
                    again(OLD.pack(tenants[no], no, 0), base64.b64decode(conf["headers_sealed"]))).decode()
                self.base.execute(f"UPDATE {table} SET conf=? WHERE {number}=? AND rev=?", (json.dumps(conf), no, rev))
        kept = self.answers()
        assert kept
        for place, aad, key, sealed in kept:
            assert sealed[0] == 2
            self.put_answer(place, closed(old, aad, opened(new, aad + key, sealed[1:])))
        self.base.execute("UPDATE meta SET v=? WHERE k='key_proof'", (again(OLD.pack(0, 0, 0), self.meta("key_proof")),))
        self.base.execute("DELETE FROM meta WHERE k='key_form'")
