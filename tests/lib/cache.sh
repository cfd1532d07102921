# Keeps directories that take minutes to make and depend only on their recipe. Scripts source it. The cache is outside the
# checkout, so that a fresh clone finds it. It belongs to root, and only tests read it. An entry appears whole, by rename,
# and replaces the previous one of its name. If the cache is missing, or not root's, everything is made again.
# CES_CACHE=DIRECTORY puts it elsewhere; CES_CACHE= leaves it out.
# shellcheck shell=bash
cache=${CES_CACHE-/var/cache/ces-tests}

cache_is_ours()
{
	[ "$(id -u)" = 0 ] && [ -n "$cache" ] && { [ -e "$cache" ] || mkdir -m 700 "$cache" 2> /dev/null; } &&
		[ "$(stat -c '%u %a %F' "$cache")" = "0 700 directory" ]
}

cache_name() { printf '%s/%s=%s' "$cache" "$1" "$(sha256sum <<< "$2" | cut -c1-32)"; } # NAME RECIPE

# Copies the entry of this recipe to DIRECTORY. Status 1: there is no entry.
cache_get() # NAME RECIPE DIRECTORY
{
	local kept
	kept=$(cache_name "$1" "$2")
	cache_is_ours && [ -d "$kept" ] || return 1
	rm -rf --one-file-system "$3"
	mkdir -p "$(dirname "$3")"
	cp -a --reflink=auto --sparse=always "$kept" "$3"
}

# Keeps a copy of DIRECTORY. It must not fail if it cannot.
cache_put() # NAME RECIPE DIRECTORY
{
	local kept
	kept=$(cache_name "$1" "$2")
	cache_is_ours || return 0
	cp -a --reflink=auto --sparse=always "$3" "$cache/new.$$" && rm -rf "$cache/$1="* && mv -T "$cache/new.$$" "$kept" ||
		rm -rf "$cache/new.$$"
}
