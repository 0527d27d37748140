package stack

import (
	"fmt"
	"maps"
	"testing"
)

// evaluation is what CloudFormation decides by the values of the parameters: the
// conditions, the rules, and what hangs on them.
type evaluation struct {
	t          *testing.T
	stack      object
	parameters map[string]string
}

// evaluate takes the values given; the other parameters have their defaults.
func evaluate(t *testing.T, given map[string]string) evaluation {
	t.Helper()
	e := evaluation{t, template(t), map[string]string{}}
	for name, parameter := range at[object](t, e.stack, "Parameters") {
		e.parameters[name] = fmt.Sprint(parameter.(object)["Default"])
	}
	maps.Copy(e.parameters, given)
	return e
}

// resources returns those that are made, with each Fn::If decided. References
// stay as they are.
func (e evaluation) resources() object {
	made := object{}
	for name, resource := range at[object](e.t, e.stack, "Resources") {
		if condition, ok := resource.(object)["Condition"].(string); !ok || e.holds(condition) {
			made[name], _ = e.decided(resource)
		}
	}
	return made
}

// broken returns what the rules say against the parameters.
func (e evaluation) broken() (all []string) {
	for _, rule := range at[object](e.t, e.stack, "Rules") {
		if condition := rule.(object)["RuleCondition"]; condition != nil && !e.truth(condition) {
			continue
		}
		for _, assertion := range at[[]any](e.t, rule.(object), "Assertions") {
			if !e.truth(assertion.(object)["Assert"]) {
				all = append(all, assertion.(object)["AssertDescription"].(string))
			}
		}
	}
	return all
}

func (e evaluation) holds(condition string) bool {
	return e.truth(at[object](e.t, e.stack, "Conditions", condition))
}

func (e evaluation) truth(v any) bool {
	for function, argument := range v.(object) {
		arguments := list(argument)
		switch function {
		case "Condition":
			return e.holds(argument.(string))
		case "Fn::Equals":
			return e.text(arguments[0]) == e.text(arguments[1])
		case "Fn::Not":
			return !e.truth(arguments[0])
		case "Fn::And":
			for _, one := range arguments {
				if !e.truth(one) {
					return false
				}
			}
			return true
		case "Fn::Or":
			for _, one := range arguments {
				if e.truth(one) {
					return true
				}
			}
			return false
		}
	}
	e.t.Fatalf("no condition: %v", v)
	return false
}

func (e evaluation) text(v any) string {
	if reference, ok := v.(object); ok {
		return e.parameters[reference["Ref"].(string)]
	}
	return fmt.Sprint(v)
}

// decided returns v with each Fn::If decided; keep is false for AWS::NoValue.
func (e evaluation) decided(v any) (decided any, keep bool) {
	switch v := v.(type) {
	case object:
		if v["Ref"] == "AWS::NoValue" {
			return nil, false
		}
		if choice, ok := v["Fn::If"].([]any); ok {
			if e.holds(choice[0].(string)) {
				return e.decided(choice[1])
			}
			return e.decided(choice[2])
		}
		all := object{}
		for key, value := range v {
			if one, keep := e.decided(value); keep {
				all[key] = one
			}
		}
		return all, true
	case []any:
		all := []any{}
		for _, item := range v {
			if one, keep := e.decided(item); keep {
				all = append(all, one)
			}
		}
		return all, true
	}
	return v, true
}
