; arch/x86_64/vdso.asm - the vDSO, as it was linked (arch/x86_64/vdso/), among the kernel's constants.

section .rodata
global time_user_image, time_user_image_end
align 16
time_user_image:
	incbin "build/vdso/vdso.so"
time_user_image_end:
