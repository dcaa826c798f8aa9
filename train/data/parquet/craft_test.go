package parquet

import "encoding/binary"

// A raw is a value in Thrift's compact protocol, for files that no library writes.
type raw struct {
	kind byte
	data []byte
}

func num(n int64) raw { return raw{thriftI64, binary.AppendVarint(nil, n)} }
func str(s string) raw {
	return raw{thriftBinary, append(binary.AppendUvarint(nil, uint64(len(s))), s...)}
}
func list(v ...raw) raw { return listOf(len(v), v...) }

// listOf claims to have n elements.
func listOf(n int, v ...raw) raw {
	data := binary.AppendUvarint([]byte{0xf0 | thriftStruct}, uint64(n))
	for _, e := range v {
		data = append(data, e.data...)
	}
	return raw{thriftList, data}
}

// record makes a struct of pairs of id and value.
func record(pairs ...any) raw {
	var data []byte
	for i := 0; i < len(pairs); i += 2 {
		v := pairs[i+1].(raw)
		data = append(binary.AppendVarint(append(data, v.kind), int64(pairs[i].(int))), v.data...)
	}
	return raw{thriftStruct, append(data, 0)}
}

// A crafted file has one row group.
type crafted struct {
	rows    int64
	schema  []raw // without the root
	columns []craftedColumn
}

type craftedColumn struct {
	values int64
	codec  int64
	pages  [][]byte
}

// page makes a data page of version 1, its values not packed.
func page(values, encoding int64, data string) []byte {
	return header(0, int64(len(data)), int64(len(data)), values, encoding, data)
}

func header(kind, size, packed, values, encoding int64, data string) []byte {
	h := record(1, num(kind), 2, num(size), 3, num(packed), 5, record(1, num(values), 2, num(encoding), 3, num(3), 4, num(3)))
	return append(h.data, data...)
}

// group, leaf and note make lines of a schema: note gives one its ConvertedType.
func group(name string, repetition, children int64) raw {
	return record(3, num(repetition), 4, str(name), 5, num(children))
}

func leaf(name string, physical, repetition int64) raw {
	return record(1, num(physical), 3, num(repetition), 4, str(name))
}

func note(r raw, convertedType int64) raw {
	r.data = append(r.data[:len(r.data)-1:len(r.data)-1], record(6, num(convertedType)).data...)
	return r
}

// bytes writes the file; root is the number of columns at the top of the schema.
func (c crafted) bytes(root int64) []byte {
	data := []byte("PAR1")
	var chunks []raw
	for _, column := range c.columns {
		start := len(data)
		for _, p := range column.pages {
			data = append(data, p...)
		}
		chunks = append(chunks, record(2, num(0), 3, record(4, num(column.codec), 5, num(column.values),
			7, num(int64(len(data)-start)), 9, num(int64(start)))))
	}
	return withFooter(data, record(1, num(2),
		2, list(append([]raw{group("schema", 0, root)}, c.schema...)...),
		3, num(c.rows),
		4, list(record(1, list(chunks...), 3, num(c.rows)))))
}

// withFooter ends a file.
func withFooter(data []byte, footer raw) []byte {
	data = append(data, footer.data...)
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(footer.data))), "PAR1"...)
}
