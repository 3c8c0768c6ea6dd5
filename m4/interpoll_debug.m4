# SPDX-License-Identifier: MIT
# INTERPOLL_DEBUG
# ---------------
# --enable-debug sets DEBUG_CPPFLAGS: ranked locks and assertions on. It goes
# on the command line and not into config.h, because it changes the layout of
# structures and must reach every file, those that need no config.h too.
AC_DEFUN([INTERPOLL_DEBUG], [
AC_ARG_ENABLE([debug],
	[AS_HELP_STRING([--enable-debug], [check lock ranks and assertions at run time])],
	[], [enable_debug=no])
DEBUG_CPPFLAGS=
AS_IF([test "x$enable_debug" = xyes], [DEBUG_CPPFLAGS=-DINTERPOLL_DEBUG=1])
AC_SUBST([DEBUG_CPPFLAGS])
])
