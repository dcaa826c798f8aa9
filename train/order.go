package train

import "example.com/finetune/internal/random"

// epochOrder is the order of n sequences in an epoch, from 1.
func epochOrder(seed uint64, epoch, n int) []int {
	return random.ForStep(seed, "order", epoch).Permutation(n)
}
