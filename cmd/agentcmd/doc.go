// Package agentcmd is the command line of mosqagent, one file a command. It is
// apart from package cmd, of which it has next to nothing: what mosqbuild needs
// to build images would make the agent five times as big.
package agentcmd
