# The C library, as Alpine has it: its loader is the library, and programs
# that are linked against it ask for libc.musl-ARCH.so.1.
#
# --disable-static   nothing here links statically, and without it each of the
#                    1,300 files is compiled twice
# -soname            upstream sets none, so programs would ask for libc.so;
#                    Alpine's name lets packages of both sides mix
# --enable-wrapper=no  toolchain.sh makes the wrapper where it is used, so that
#                    no folder of this machine is written down here
# -Os                as in Alpine's build of it
set -eu

cd source
./configure --prefix=/usr --syslibdir=/lib --disable-static --enable-wrapper=no \
	CC=gcc \
	CFLAGS="-Os -pipe -ffile-prefix-map=$PWD=/usr/src/musl" \
	LDFLAGS="-Wl,-soname,libc.musl-$ARCH.so.1"
make

# What other steps compile and link with.
make DESTDIR="$OUT/sysroot" install-headers install-libs
rm "$OUT/sysroot/lib/ld-musl-$ARCH.so.1"
ln -s ../usr/lib/libc.so "$OUT/sysroot/lib/libc.musl-$ARCH.so.1"
install -D -m 644 tools/musl-gcc.specs.sh "$OUT/sysroot/specs.sh"

# What is shipped.
install -D -m 755 lib/libc.so "$OUT/root/lib/ld-musl-$ARCH.so.1"
strip --strip-unneeded "$OUT/root/lib/ld-musl-$ARCH.so.1"
ln -s "ld-musl-$ARCH.so.1" "$OUT/root/lib/libc.musl-$ARCH.so.1"
install -D -m 644 COPYRIGHT "$OUT/licenses/COPYRIGHT"
