# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154 # what it shares with who sources it
#
# prepare.sh - from a fresh Debian machine to a build; sourced by ../quickstart
# and ../runtests, which set $top to the top of the source tree.
#
# Everything is built in $top/build, out of the tree; what exists already is not
# done again.  Each function ends the script, with a sentence, if it fails.

build=$top/build

say()
{
	printf '\n== %s\n' "$*"
}

fail()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# Is it there?  "COMMAND=PACKAGE" asks for a command, "PACKAGE" for a package.
has_need()
{
	case $1 in
	*=*)
		PATH=$PATH:/usr/sbin:/sbin command -v "${1%%=*}" >/dev/null 2>&1
		;;
	*)
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
		;;
	esac
}

# install_missing NEED...: install the packages of those that are not there, after
# saying which.  Daemons among them are not started, now or at the next boot.
install_missing()
{
	packages=
	for need; do
		has_need "$need" || packages="$packages ${need#*=}"
	done
	[ -n "$packages" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		fail "these Debian packages, or what your system calls them, are missing:$packages"
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null 2>&1 ||
		fail "not root and no sudo here; please have these packages installed:$packages"
	say "installing these packages and what they depend on:$packages"
	as_root apt-get -q update || fail "apt-get update failed"
	forbid_daemons
	# shellcheck disable=SC2086 # a list of words
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q install -y --no-install-recommends $packages
	status=$?
	allow_daemons
	[ $status -eq 0 ] || fail "apt-get could not install$packages"
	# shellcheck disable=SC2086
	disable_daemons $packages
}

# Debian starts a daemon as soon as it is installed, unless policy-rc.d says 101.
# A policy that is there already is the owner's, and stays.
policy=/usr/sbin/policy-rc.d
is_policy_ours=no

forbid_daemons()
{
	[ ! -e $policy ] || return 0
	is_policy_ours=yes
	trap 'allow_daemons; exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
	as_root chmod 755 $policy
}

allow_daemons()
{
	[ $is_policy_ours = yes ] || return 0
	as_root rm -f $policy
	is_policy_ours=no
	trap - HUP INT TERM
}

disable_daemons()
{
	command -v systemctl >/dev/null 2>&1 || return 0
	for package; do
		case $package in
		redis-server | nginx | memcached | haproxy)
			as_root systemctl --quiet disable "$package" >/dev/null 2>&1 || :
			;;
		esac
	done
}

# What building needs: a compiler, make, the autotools, and the reader of ELF files
# that the launcher uses.
build_needs="cc=gcc make=make libc6-dev autoconf=autoconf automake=automake
	libtoolize=libtool pkg-config=pkg-config libelf-dev"

# quietly LOG COMMAND...: its output goes to the log, and is shown if it fails.
quietly()
{
	log=$1
	shift
	"$@" >"$log" 2>&1 && return 0
	tail -n 30 "$log" >&2
	fail "$* failed; all it said is in $log"
}

# Is there a build, configured with that option, if one is named?
is_configured()
{
	[ -f "$build/Makefile" ] && case $("$build/config.status" --config) in
	*"$1"*) ;;
	*) false ;;
	esac
}

configure()
{
	say "configuring in $build"
	cd "$build" || fail "cannot enter $build"
	# shellcheck disable=SC2086 # no option is no word
	quietly "$build/configure.out" "$top/configure" $1
	cd "$OLDPWD" || fail "cannot go back to $OLDPWD"
}

# build_all OPTION TARGET...: OPTION is for ./configure, or empty.
build_all()
{
	mkdir -p "$build" || fail "cannot make $build"
	if [ ! -x "$top/configure" ]; then
		say "making ./configure"
		quietly "$build/bootstrap.log" "$top/bootstrap"
	fi
	is_configured "$1" || configure "$1"
	shift
	say "building"
	# one goal after the other: `all' is a make of its own, and two would build the
	# same library at once
	for goal; do
		make -s -C "$build" --no-print-directory -j"$(nproc)" "$goal" ||
			fail "the build failed"
	done
}
