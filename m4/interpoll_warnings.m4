# SPDX-License-Identifier: MIT
# INTERPOLL_WARNINGS
# ------------------
# Sets WARN_CFLAGS. The list is fixed and every compiler we support knows it,
# so nothing is probed. --enable-werror is for us, not for packagers, whose
# compiler may be newer than the code.
AC_DEFUN([INTERPOLL_WARNINGS], [
AC_ARG_ENABLE([werror],
	[AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
	[], [enable_werror=no])
WARN_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes"
WARN_CFLAGS="$WARN_CFLAGS -Wold-style-definition -Wpointer-arith -Wcast-qual"
WARN_CFLAGS="$WARN_CFLAGS -Wwrite-strings -Wvla -Wundef -Wformat=2"
AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
AC_SUBST([WARN_CFLAGS])
])
