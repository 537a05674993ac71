# Looks at the primary's Ready condition every five seconds and, when it has
# changed, leads the clients' Service to the primary or to the secondary.
was=
while :; do
	is=$(kubectl get pods --namespace "$NAMESPACE" --selector app=loop,role=primary \
		--output 'jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}')
	if [ "$is" != "$was" ]; then
		if [ "$is" = True ]; then role=primary; else role=secondary; fi
		kubectl patch service loop --namespace "$NAMESPACE" --patch "{\"spec\":{\"selector\":{\"app\":\"loop\",\"role\":\"$role\"}}}"
		was=$is
	fi
	sleep 5
done
