//go:build !purego

package simd

import "golang.org/x/sys/unix"

// hasBF16 reports whether the system names FEAT_BF16, as it does from M2 on.
func hasBF16() bool {
	v, err := unix.SysctlUint32("hw.optional.arm.FEAT_BF16")
	return err == nil && v == 1
}
