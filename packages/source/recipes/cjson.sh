# cJSON: one C file, so the compiler is called and not cmake, which a machine
# may lack. The defines are those of its own CMakeLists.txt for a shared build.
set -eu
# shellcheck source=toolchain.sh
. "$RECIPES/toolchain.sh"

cd source
version=$(sed -n 's/^PROJECT_VERSION *[:?]*= *//p; s/^LIBVERSION *= *//p' Makefile | head -n 1)
lib=libcjson.so.$version
# shellcheck disable=SC2086 # the flags are words
musl-gcc -Os -pipe -std=c99 -fPIC $HARDEN_CFLAGS -fvisibility=hidden \
	-DCJSON_EXPORT_SYMBOLS -DCJSON_API_VISIBILITY \
	-shared -Wl,-soname,libcjson.so.1 $HARDEN_LDFLAGS -o "$lib" cJSON.c

# What other steps compile and link with.
install -D -m 644 cJSON.h "$OUT/sysroot/usr/include/cjson/cJSON.h"
install -D -m 755 "$lib" "$OUT/sysroot/usr/lib/libcjson.so"

# What is shipped.
install -D -m 755 "$lib" "$OUT/root/usr/lib/$lib"
strip --strip-unneeded "$OUT/root/usr/lib/$lib"
ln -s "$lib" "$OUT/root/usr/lib/libcjson.so.1"
install -D -m 644 LICENSE "$OUT/licenses/LICENSE"
