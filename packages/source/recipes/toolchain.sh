# Read by the recipes that compile against musl: makes musl-gcc, the machine's
# compiler with musl's headers, start files and loader in place of glibc's, and
# puts it first in PATH.
#
# The kernel's headers are the machine's own: they are the same for every libc.
#
# --sysroot and -rpath-link: the libraries that a library asks for are looked
# up here. Without them the linker takes the machine's own libssl, which belongs
# to glibc; -rpath-link alone doesn't do, since in its first round the linker
# skips whatever asks for no library named libc.so (binutils, ld/ldelf.c).
#
# The wrapper and not CFLAGS holds -ffile-prefix-map, since OpenSSL writes its
# compiler's name and flags into libcrypto: the folder would be in there.
set -eu

mkdir -p toolchain/include
ln -s /usr/include/linux /usr/include/asm-generic toolchain/include/
ln -s "/usr/include/$(gcc -print-multiarch)/asm" toolchain/include/asm
sh "$MUSL/sysroot/specs.sh" "$MUSL/sysroot/usr/include" "$MUSL/sysroot/usr/lib" \
	"/lib/ld-musl-$ARCH.so.1" >toolchain/specs
cat >toolchain/musl-gcc <<END
#!/bin/sh
exec gcc -specs "$PWD/toolchain/specs" -ffile-prefix-map="$PWD/source=/usr/src" \\
	-idirafter "$PWD/toolchain/include" -Wl,--sysroot="$PWD/toolchain" "\$@"
END
chmod 755 toolchain/musl-gcc
export PATH="$PWD/toolchain:$PATH"

# What every part is linked with: addresses bound and made read-only at start,
# and the two forms of tables that musl reads anyway and that are the smallest.
HARDEN_CFLAGS="-fstack-protector-strong"
HARDEN_LDFLAGS="-Wl,--as-needed -Wl,-z,relro,-z,now -Wl,-z,noexecstack"
HARDEN_LDFLAGS="$HARDEN_LDFLAGS -Wl,-z,pack-relative-relocs -Wl,--hash-style=gnu"
export HARDEN_CFLAGS HARDEN_LDFLAGS
