module example.com/finetune/simd/_asm

go 1.26
