#!/bin/bash
# tools/setup.sh - sees to it that the packages of tools/packages.txt are there.
#
# What is missing is installed, as root or through sudo; if neither is possible the command to type is printed, and the status is 126.
# It runs before every build, so the usual case, nothing missing, only looks at files.
set -u
# /usr/share/doc is left out on some small systems; there dpkg is asked.
present() { [ -e "$2" ] || { [[ $2 == /usr/share/doc/* ]] && dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null | grep -qx installed; }; }

missing=()
while read -r package file; do
	case $package in '' | '#'*) continue ;; esac
	present "$package" "$file" || missing+=("$package")
done < "${BASH_SOURCE%/*}/packages.txt"
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
	as_root=(env)
elif command -v sudo > /dev/null && { sudo -n true 2> /dev/null || [ -t 0 ]; }; then
	as_root=(sudo env)
else
	echo "Packages are missing, and this user cannot install them.  As root:  apt-get update && $install" >&2
	exit 126
fi
echo "Installing ${missing[*]}" >&2
apt() { "${as_root[@]}" DEBIAN_FRONTEND=noninteractive $1 < /dev/null >&2; }
# The lists of packages may never have been fetched, or be too old.
apt "$install" 2> /dev/null > /dev/null || { apt "apt-get update" && apt "$install"; } || {
	echo "Packages could not be installed.  As root:  apt-get update && $install" >&2
	exit 126
}
