module oracle

go 1.26

require (
	k8s.io/apiserver v0.37.2
	sigs.k8s.io/yaml v1.6.0
)
