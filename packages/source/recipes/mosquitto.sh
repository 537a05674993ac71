# The broker, its library, the clients and the dynamic security plugin.
#
# WITH_SRV, WITH_ADNS=no  need c-ares and glibc's libanl
# WITH_DOCS=no            manual pages have no reader in an image
# WITH_WEBSOCKETS=no      needs libwebsockets in 2.0
# WITH_STRIP=no           strip is called here, for all files alike
# LIB_SUFFIX=             else the Makefile guesses lib64 on some machines
# The top Makefile also makes the C++ library, for which musl-gcc has no
# libstdc++; so the folders are made one by one, in one make for all so that
# they share its jobs.
set -eu
# shellcheck source=toolchain.sh
. "$RECIPES/toolchain.sh"

cd source
cat >mosqbuild.mk <<'END'
all: src client apps/mosquitto_passwd apps/mosquitto_ctrl plugins/dynamic-security
client apps/mosquitto_ctrl: lib
lib: GOAL = libmosquitto.so.1
apps/mosquitto_ctrl: GOAL = mosquitto_ctrl
plugins/dynamic-security: GOAL = mosquitto_dynamic_security.so
lib src client apps/mosquitto_passwd apps/mosquitto_ctrl plugins/dynamic-security:
	+$(MAKE) -C $@ $(GOAL)
.PHONY: all lib src client apps/mosquitto_passwd apps/mosquitto_ctrl plugins/dynamic-security
END
sysroots="-isystem $OPENSSL/sysroot/usr/include -isystem $CJSON/sysroot/usr/include"
libs="-L$OPENSSL/sysroot/usr/lib -L$CJSON/sysroot/usr/lib -Wl,-rpath-link,$OPENSSL/sysroot/usr/lib"
make -f mosqbuild.mk CC=musl-gcc \
	CFLAGS="-Os -pipe $HARDEN_CFLAGS $sysroots" LDFLAGS="$HARDEN_LDFLAGS $libs" \
	WITH_DOCS=no WITH_SRV=no WITH_ADNS=no WITH_WEBSOCKETS=no WITH_STRIP=no \
	WITH_CJSON=yes LIB_SUFFIX= prefix=/usr

put() { # MODE FOLDER FILE...
	mode=$1 folder=$OUT/root/$2
	shift 2
	for file; do
		install -D -m "$mode" "$file" "$folder/${file##*/}"
		strip --strip-unneeded "$folder/${file##*/}"
	done
}
put 755 usr/sbin src/mosquitto
put 755 usr/bin apps/mosquitto_passwd/mosquitto_passwd apps/mosquitto_ctrl/mosquitto_ctrl \
	client/mosquitto_pub client/mosquitto_sub client/mosquitto_rr
put 755 usr/lib lib/libmosquitto.so.1 plugins/dynamic-security/mosquitto_dynamic_security.so
for file in LICENSE.txt NOTICE.md epl-v20 edl-v10; do
	install -D -m 644 $file "$OUT/licenses/$file"
done
# Compiled in, and under a licence of its own.
sed '/\*\//q' deps/uthash.h >"$OUT/licenses/uthash.txt"
