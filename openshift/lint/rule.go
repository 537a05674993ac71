package lint

import "slices"

// Rule is one thing that is looked for.
type Rule struct {
	Code     string   `json:"code"` // "MQ101": its first digit is the group; it never changes its meaning
	Severity Severity `json:"severity"`
	Title    string   `json:"title"` // a noun phrase
	Why      string   `json:"why"`   // what happens where nobody mends it
}

// check looks for the faults of some rules in all of a project.
type check func(*project, *report)

// Rules returns every rule, by code.
func Rules() []Rule {
	return slices.Concat(confRules, secretRules, storageRules, schedulingRules, trafficRules, manifestRules, imageRules)
}

var checks = []check{
	checkListeners, checkAnonymous, checkOptions, checkBridges,
	checkCertificates, checkKeyFiles, checkSecretVolumes, checkConfigMaps, checkPasswords, checkHashes,
	checkSubPaths, checkSymlinks, checkRolling, checkPersistence,
	checkSelectors, checkAffinity, checkReplicas,
	checkServices, checkPorts, checkProbes,
	checkFields, checkKinds, checkTags,
	checkContainerfiles, checkShells,
}

// severities caches what Rules says, since each finding asks.
var severities = func() map[string]Severity {
	m := map[string]Severity{}
	for _, r := range Rules() {
		m[r.Code] = r.Severity
	}
	return m
}()

func severityOf(code string) Severity { return severities[code] }
