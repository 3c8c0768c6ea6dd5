# SPDX-License-Identifier: MIT
# INTERPOLL_CRITERION
# -------------------
# --with-criterion=auto|yes|no. Sets CRITERION_LIBS, CRITERION_CPPFLAGS and the
# conditional UNIT_TESTS. auto builds without Criterion, but `make check' then
# says that the unit tests were left out, and how to get them. ThreadSanitizer
# and Criterion exclude each other; a stand-in runs the tests then
# (INTERPOLL_SANITIZERS comes before).
AC_DEFUN([INTERPOLL_CRITERION], [
AC_ARG_WITH([criterion],
	[AS_HELP_STRING([--with-criterion], [build the unit tests @<:@auto@:>@])],
	[], [with_criterion=auto])
CRITERION_LIBS=
CRITERION_CPPFLAGS=
have_criterion=no
AS_IF([test "x$with_criterion:$enable_tsan" = xauto:yes],
	[have_criterion=stand-in
	CRITERION_CPPFLAGS='-I$(top_srcdir)/tests/unit/tsan'],
	[test "x$with_criterion" != xno],
	[AC_CHECK_HEADER([criterion/criterion.h],
		[AC_CHECK_LIB([criterion], [criterion_initialize],
			[have_criterion=yes
			CRITERION_LIBS=-lcriterion])])
	AS_IF([test "x$with_criterion:$have_criterion" = xyes:no],
		[AC_MSG_ERROR([Criterion is missing; apt install libcriterion-dev])])])
AC_SUBST([CRITERION_LIBS])
AC_SUBST([CRITERION_CPPFLAGS])
AM_CONDITIONAL([UNIT_TESTS], [test "x$have_criterion" != xno])
])
