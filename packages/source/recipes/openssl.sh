# libcrypto and libssl, as small as a broker's TLS allows.
#
# Kept: TLS 1.2 and 1.3 with and without PSK, RSA, ECDSA, Ed25519, X25519 and
# ML-KEM key exchange, AES, ChaCha20-Poly1305, PBKDF2 (password files), OCSP
# and HTTP (libmosquitto refers to OCSP and does not compile without: no
# "no-http", no "no-ocsp").
# Left out: protocols, ciphers and digests that neither side of such a
# connection offers any more, the tools, and whatever is loaded at run time
# (engines, modules, the legacy provider): each is size and attack surface.
#
# Only the shared libraries are made, not the target build_libs: for the
# static ones every file would be compiled a second time.
set -eu
# shellcheck source=toolchain.sh
. "$RECIPES/toolchain.sh"

case $ARCH in
x86_64) target=linux-x86_64 ;;
aarch64) target=linux-aarch64 ;;
*) echo "no OpenSSL target is known for $ARCH" >&2 && exit 1 ;;
esac

cd source
# One function, AES-GCM by AVX-512, is unrolled to 700 kB, a sixth of libcrypto.
# The AES-NI code does the same on every processor.
# shellcheck disable=SC2016 # the variable is perl's
sed -i 's/^if (\$avx512vaes>0)/if (0)/' crypto/modes/asm/aes-gcm-avx512.pl
grep -q '^if (0)' crypto/modes/asm/aes-gcm-avx512.pl
# shellcheck disable=SC2086 # the flags are words
CC=musl-gcc ./Configure $target \
	--prefix=/usr --libdir=lib --openssldir=/etc/ssl \
	shared no-apps no-tests no-docs \
	no-dso no-module no-engine no-legacy no-async no-afalgeng no-ktls \
	no-ssl-trace no-ssl3 no-tls1 no-tls1_1 no-dtls no-quic no-sctp no-srtp no-weak-ssl-ciphers \
	no-cmp no-cms no-ts no-srp no-ct no-comp no-zlib no-rfc3779 \
	no-aria no-bf no-blake2 no-camellia no-cast no-des no-gost no-idea no-md4 \
	no-mdc2 no-rc2 no-rc4 no-rc5 no-rmd160 no-seed no-siphash no-siv no-ocb \
	no-scrypt no-argon2 no-sm2 no-sm3 no-sm4 no-whirlpool \
	no-dsa no-ec2m no-tls-deprecated-ec no-ml-dsa no-slh-dsa \
	no-dgram no-integrity-only-ciphers no-multiblock no-nextprotoneg \
	no-default-thread-pool no-thread-pool no-makedepend \
	-Os -pipe $HARDEN_CFLAGS -fno-asynchronous-unwind-tables \
	$HARDEN_LDFLAGS
make build_generated
make libssl.so

# What other steps compile and link with.
mkdir -p "$OUT/sysroot/usr/lib" "$OUT/sysroot/usr/include/openssl"
cp include/openssl/*.h "$OUT/sysroot/usr/include/openssl/"
cp -a libcrypto.so libcrypto.so.3 libssl.so libssl.so.3 "$OUT/sysroot/usr/lib/"

# What is shipped.
for lib in libcrypto.so.3 libssl.so.3; do
	install -D -m 755 $lib "$OUT/root/usr/lib/$lib"
	strip --strip-unneeded "$OUT/root/usr/lib/$lib"
done
install -D -m 644 LICENSE.txt "$OUT/licenses/LICENSE.txt"
