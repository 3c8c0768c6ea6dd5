# SPDX-License-Identifier: MIT
# INTERPOLL_SANITIZERS
# --------------------
# --enable-asan, --enable-ubsan, --enable-tsan set SANITIZE_CFLAGS, used for
# compiling and linking everything. TSan shares its shadow memory with nobody.
AC_DEFUN([INTERPOLL_SANITIZERS], [
AC_ARG_ENABLE([asan],
	[AS_HELP_STRING([--enable-asan], [build with AddressSanitizer])],
	[], [enable_asan=no])
AC_ARG_ENABLE([ubsan],
	[AS_HELP_STRING([--enable-ubsan], [build with UndefinedBehaviorSanitizer])],
	[], [enable_ubsan=no])
AC_ARG_ENABLE([tsan],
	[AS_HELP_STRING([--enable-tsan], [build with ThreadSanitizer])],
	[], [enable_tsan=no])
AS_IF([test "x$enable_asan:$enable_tsan" = xyes:yes],
	[AC_MSG_ERROR([--enable-asan and --enable-tsan exclude each other; choose one])])

SANITIZE_CFLAGS=
AS_IF([test "x$enable_asan" = xyes],
	[SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fsanitize=address"])
AS_IF([test "x$enable_ubsan" = xyes],
	[SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fsanitize=undefined -fno-sanitize-recover=undefined"])
AS_IF([test "x$enable_tsan" = xyes],
	[SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fsanitize=thread"])
AS_IF([test -n "$SANITIZE_CFLAGS"],
	[SANITIZE_CFLAGS="$SANITIZE_CFLAGS -fno-omit-frame-pointer"
	AC_MSG_CHECKING([whether $CC links with$SANITIZE_CFLAGS])
	interpoll_saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $SANITIZE_CFLAGS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM],
		[AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([the sanitizer's run-time library is missing])])
	CFLAGS=$interpoll_saved_CFLAGS])
AC_SUBST([SANITIZE_CFLAGS])
AM_CONDITIONAL([SANITIZE], [test -n "$SANITIZE_CFLAGS"])
])
