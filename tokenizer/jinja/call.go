package jinja

import (
	"slices"
)

// args are the arguments of a call.
type args struct {
	plain []Value
	names []string
	named []Value
}

func (a *arguments) eval(m *machine) (*args, error) {
	if a.star == nil && a.stars == nil && a.names == nil && len(a.plain) == 0 {
		return &args{}, nil
	}
	out := &args{names: a.names}
	var err error
	if out.plain, err = m.evalAll(a.plain); err != nil {
		return nil, err
	}
	if out.named, err = m.evalAll(a.named); err != nil {
		return nil, err
	}
	if a.star != nil {
		v, err := a.star.eval(m)
		if err != nil {
			return nil, err
		}
		more, err := m.iterate(v)
		if err != nil {
			return nil, raise(typeError, "Value after * must be an iterable, not %s", typeName(v))
		}
		out.plain = append(out.plain, more...)
	}
	if a.stars != nil {
		return out, m.starArguments(a.stars, out)
	}
	return out, nil
}

func (m *machine) starArguments(e expr, out *args) error {
	v, err := e.eval(m)
	if err != nil {
		return err
	}
	d, ok := v.(*Dict)
	if !ok {
		return raise(typeError, "Value after ** must be a mapping, not %s", typeName(v))
	}
	out.names, out.named = slices.Clone(out.names), slices.Clone(out.named)
	for i, k := range d.keys {
		s, ok := k.(*Str)
		if !ok {
			return raise(typeError, "keywords must be strings")
		}
		if slices.Contains(out.names, s.text) {
			return raise(typeError, "got multiple values for keyword argument %s", quote(s.text))
		}
		out.names, out.named = append(out.names, s.text), append(out.named, d.values[i])
	}
	return nil
}

func (n *callNode) eval(m *machine) (Value, error) { return n.with(m, nil) }

// with calls with one more named argument, caller, if that is not nil.
func (n *callNode) with(m *machine, caller *macroValue) (Value, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	if attr, ok := n.f.(*attrNode); ok && caller == nil {
		of, err := attr.of.eval(m)
		if err != nil {
			return nil, err
		}
		if method := methodOf(of, attr.name.text); method != nil { // without making a value of it
			a, err := n.args.eval(m)
			if err != nil {
				return nil, err
			}
			m.line = n.line
			return method.call(m, of, a)
		}
		m.line = attr.line
		f, err := m.attribute(of, attr.name)
		if err != nil {
			return nil, err
		}
		return n.do(m, f, nil)
	}
	f, err := n.f.eval(m)
	if err != nil {
		return nil, err
	}
	return n.do(m, f, caller)
}

func (n *callNode) do(m *machine, f Value, caller *macroValue) (Value, error) {
	a, err := n.args.eval(m)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		a = &args{a.plain, append(slices.Clone(a.names), "caller"), append(slices.Clone(a.named), caller)}
	}
	m.line = n.line
	return m.call(f, a)
}

// call calls a value.
func (m *machine) call(f Value, a *args) (Value, error) {
	switch f := f.(type) {
	case *function:
		return f.call(m, a)
	case *macroValue:
		return f.call(m, a)
	case *loopValue:
		if f.node == nil || !f.node.recursive {
			return nil, raise(typeError, "The loop must have the 'recursive' marker to be called recursively.")
		}
		if len(a.plain) != 1 || len(a.names) > 0 {
			return nil, raise(typeError, "LoopContext.__call__() takes 2 positional arguments but %d were given", 1+len(a.plain))
		}
		return f.recurse(m, a.plain[0])
	case *joinerValue:
		if !f.used {
			f.used = true
			return emptyText, nil
		}
		return f.separator, nil
	case *Undefined:
		return nil, f.fail()
	}
	return nil, raise(typeError, "%s object is not callable", quote(typeName(f)))
}

func (n *filterNode) eval(m *machine) (Value, error) {
	v, err := n.value.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	if n.filter == nil {
		return nil, raise(runtimeError, "No filter named %s found.", quote(n.name))
	}
	a, err := n.args.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	if err := m.step(1); err != nil {
		return nil, err
	}
	return n.filter.apply(m, v, a)
}

func (n *testNode) eval(m *machine) (Value, error) {
	v, err := n.value.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	if n.test == nil {
		return nil, raise(runtimeError, "No test named %s found.", quote(n.name))
	}
	a, err := n.args.eval(m)
	if err != nil {
		return nil, err
	}
	m.line = n.line
	out, err := n.test.apply(m, v, a)
	if err != nil {
		return nil, err
	}
	if n.negated {
		return !truth(out), nil
	}
	return out, nil
}
