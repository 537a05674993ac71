# Mosquitto 2.1: the broker with WebSockets, its library, the clients and the
# plugins for password files, ACL files and dynamic security.
#
# WITH_SRV=no             needs c-ares
# WITH_HTTP_API=no        needs libmicrohttpd
# WITH_SQLITE=no          persistence in SQLite needs that
# WITH_EDITLINE=no        mosquitto_ctrl's own prompt needs libedit
# WITH_GMOCK, WITH_DOCS=no  neither tests nor manual pages are shipped
# WITH_STRIP=no           strip is called here, for all files alike
# LIB_SUFFIX=             else the Makefile guesses lib64 on some machines
# Argon2 is off unless asked for: one login by it takes 46 MB, and the password
# files that mosqbuild makes are PBKDF2's.
# The top Makefile also makes the C++ library, for which musl-gcc has no
# libstdc++; so the folders are made one by one, in one make for all so that
# they share its jobs. All link libcommon in. The broker waits for the library
# since both make the object of picohttpparser, at one path.
set -eu
# shellcheck source=toolchain.sh
. "$RECIPES/toolchain.sh"

cd source
cat >mosqbuild.mk <<'END'
APPS = apps/mosquitto_passwd apps/mosquitto_ctrl apps/mosquitto_signal
PLUGINS = plugins/dynamic-security plugins/password-file plugins/acl-file
all: src client $(APPS) $(PLUGINS)
src client apps/mosquitto_ctrl: lib
lib $(APPS) $(PLUGINS): libcommon
libcommon: GOAL = libmosquitto_common.a
lib: GOAL = libmosquitto.so.1
apps/mosquitto_ctrl: GOAL = mosquitto_ctrl
plugins/dynamic-security: GOAL = mosquitto_dynamic_security.so
plugins/password-file: GOAL = mosquitto_password_file.so
plugins/acl-file: GOAL = mosquitto_acl_file.so
libcommon lib src client $(APPS) $(PLUGINS):
	+$(MAKE) -C $@ $(GOAL)
.PHONY: all libcommon lib src client $(APPS) $(PLUGINS)
END
sysroots="-isystem $OPENSSL/sysroot/usr/include -isystem $CJSON/sysroot/usr/include"
libs="-L$OPENSSL/sysroot/usr/lib -L$CJSON/sysroot/usr/lib -Wl,-rpath-link,$OPENSSL/sysroot/usr/lib"
make -f mosqbuild.mk CC=musl-gcc \
	CFLAGS="-Os -pipe -std=gnu99 $HARDEN_CFLAGS $sysroots" LDFLAGS="$HARDEN_LDFLAGS $libs" \
	WITH_DOCS=no WITH_SRV=no WITH_HTTP_API=no WITH_SQLITE=no WITH_EDITLINE=no WITH_GMOCK=no \
	WITH_STRIP=no WITH_WEBSOCKETS=yes LIB_SUFFIX= prefix=/usr

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
	apps/mosquitto_signal/mosquitto_signal client/mosquitto_pub client/mosquitto_sub client/mosquitto_rr
put 755 usr/lib lib/libmosquitto.so.1 plugins/dynamic-security/mosquitto_dynamic_security.so \
	plugins/password-file/mosquitto_password_file.so plugins/acl-file/mosquitto_acl_file.so
for file in LICENSE.txt NOTICE.md epl-v20 edl-v10; do
	install -D -m 644 $file "$OUT/licenses/$file"
done
# Compiled in, and under licences of their own.
sed '/\*\//q' deps/uthash.h >"$OUT/licenses/uthash.txt"
sed '/\*\//q' deps/picohttpparser/picohttpparser.c >"$OUT/licenses/picohttpparser.txt"
