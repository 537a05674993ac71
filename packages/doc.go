// Package packages turns names of apk packages into a file tree: Resolve finds
// the closure of the names in signed indexes and returns a Lock, Load fetches
// what the Lock lists and returns the Tree that apk would have installed. Locks
// are kept in a file, by which Confirm notices what has changed, and Mirror
// copies what they list to where there is no network.
//
// Nothing unverified gets into a Tree. An index must be signed by a trusted
// key; a package's file must have the size and the control checksum that this
// index lists, its data the hash that its control section lists, and a
// signature of its own, where it carries one, must be by a trusted key as well.
// Nor does what leaves the tree, by its path or by a link, is a device, or gives
// whoever runs it another's rights (setuid, setgid, file capabilities), whoever
// signed it.
// No host but those of the repositories is asked for anything.
//
// Scripts and triggers of packages are recorded but not run, so that neither
// root nor a shell is needed. The package makes no layers and no images, and
// writes nothing but its cache and the mirror it is told to make.
//
// Formats: https://wiki.alpinelinux.org/wiki/Apk_spec and apk-tools 2.14.
package packages
