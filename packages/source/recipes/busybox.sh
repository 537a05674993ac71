# busybox: a shell and what one looks into a container with, for "image build
# --shell". Nothing is in it that only root can use, and no setuid.
#
# It starts from nothing (allnoconfig), so that a new version brings no new
# program along; what is asked for here and isn't taken fails the build.
set -eu
# shellcheck source=toolchain.sh
. "$RECIPES/toolchain.sh"

options="
	LFS LONG_OPTS SHOW_USAGE FEATURE_VERBOSE_USAGE FEATURE_COMPRESS_USAGE BUSYBOX
	FEATURE_EDITING FEATURE_TAB_COMPLETION FEATURE_EDITING_ASK_TERMINAL
	ASH SH_IS_ASH ASH_OPTIMIZE_FOR_SIZE ASH_INTERNAL_GLOB ASH_BASH_COMPAT ASH_JOB_CONTROL ASH_ALIAS ASH_CMDCMD
	ASH_ECHO ASH_PRINTF ASH_TEST ASH_GETOPTS FEATURE_SH_MATH FEATURE_SH_MATH_64
	BASENAME CAT CHMOD CP CUT DATE DF FEATURE_HUMAN_READABLE DIRNAME DU ECHO FEATURE_FANCY_ECHO ENV EXPR FALSE HEAD
	FEATURE_FANCY_HEAD ID LN LS FEATURE_LS_SORTFILES FEATURE_LS_TIMESTAMPS FEATURE_LS_USERNAME FEATURE_LS_RECURSIVE
	FEATURE_LS_FILETYPES FEATURE_LS_FOLLOWLINKS MKDIR MV NPROC OD PRINTENV PRINTF PWD READLINK FEATURE_READLINK_FOLLOW REALPATH
	RM RMDIR SHA256SUM SLEEP FEATURE_FANCY_SLEEP SORT FEATURE_SORT_BIG STAT FEATURE_STAT_FORMAT TAIL FEATURE_FANCY_TAIL TEE
	TEST TEST1 TIMEOUT TOUCH TR FEATURE_TR_CLASSES TRUE UNAME UNIQ WC WHOAMI
	AWK CMP DIFF SED VI FEATURE_VI_COLON FEATURE_VI_SEARCH FEATURE_VI_UNDO FEATURE_ALLOW_EXEC
	FIND FEATURE_FIND_MAXDEPTH FEATURE_FIND_NEWER FEATURE_FIND_MTIME FEATURE_FIND_PERM FEATURE_FIND_TYPE FEATURE_FIND_SIZE
	FEATURE_FIND_USER FEATURE_FIND_NOT FEATURE_FIND_PAREN FEATURE_FIND_EXEC GREP EGREP FGREP FEATURE_GREP_CONTEXT XARGS
	TAR FEATURE_TAR_CREATE FEATURE_SEAMLESS_GZ FEATURE_TAR_LONG_OPTIONS FEATURE_TAR_GNU_EXTENSIONS GUNZIP ZCAT GZIP
	HEXDUMP LESS CLEAR
	FREE KILL LSOF PGREP PIDOF PKILL PS FEATURE_PS_WIDE FEATURE_PS_LONG TOP UPTIME WATCH
	HOSTNAME IP FEATURE_IP_ADDRESS FEATURE_IP_LINK FEATURE_IP_ROUTE NC NC_SERVER NETSTAT FEATURE_NETSTAT_WIDE
	NSLOOKUP FEATURE_NSLOOKUP_BIG FEATURE_IPV6 WGET
"

cd source
# Else the banner has the date, which is another every time.
export KCONFIG_NOTIMESTAMP=1
# The machine's own compiler, with its own assembler, makes the programs that make
# busybox.
set -- HOSTCC='env PATH=/usr/bin:/bin gcc' CC=musl-gcc SKIP_STRIP=y
make "$@" allnoconfig
for name in $options; do
	sed -i "s/^# CONFIG_$name is not set\$/CONFIG_$name=y/" .config
done
yes '' | make "$@" oldconfig
for name in $options; do
	grep -qx "CONFIG_$name=y" .config || { echo "busybox knows no option $name, or doesn't take it" >&2; exit 1; }
done
make "$@" EXTRA_CFLAGS="$HARDEN_CFLAGS" EXTRA_LDFLAGS="$HARDEN_LDFLAGS" busybox busybox.links

# What is shipped. The links are for the image to make, from the list: who
# installs busybox as what else needs it wants none.
install -D -m 755 busybox "$OUT/root/bin/busybox"
strip "$OUT/root/bin/busybox"
ln -s /bin/busybox "$OUT/root/bin/sh"
mkdir -p "$OUT/root/etc/busybox-paths.d"
sed 's,^/,,; /^bin\/sh$/d' busybox.links | sort >"$OUT/root/etc/busybox-paths.d/busybox"
install -D -m 644 LICENSE "$OUT/licenses/LICENSE"
