// Package podmantest gives tests a podman of their own: its storage, its
// state and its configuration lie in a folder that goes with the test, so that
// nothing of the user's is touched, and it works where the machine's own
// podman can't (see testing/runtime). Tests skip where podman is absent.
package podmantest
