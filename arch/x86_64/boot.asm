; arch/x86_64/boot.asm - from the boot loader to C.
;
; GRUB starts us in 32-bit protected mode without paging, with the Multiboot2 magic in eax and the information's physical
; address in ebx (Multiboot2 specification, 3.3).  The header's relocatable tag allows any 2 MiB-aligned base, so nothing here uses an
; absolute address: ebp holds the difference between where we are and where we were linked.
;
; Early page tables: the low 4 GiB at 0 (until C has its own tables) and at DIRECT_BASE, and 16 MiB of kernel image at KERNEL_BASE, all in
; 2 MiB pages, writable and executable.  boot.c replaces them by exact ones.

%define KERNEL_BASE	0xffffffff80000000
%define PHYS(sym)	((sym) - KERNEL_BASE)
%define MAGIC		0xe85250d6
%define LOADED_BY	0x36d76289
%define BASE_ALIGN	0x200000

section .multiboot progbits alloc noexec nowrite align=8
header:
	dd MAGIC, 0, header_end - header, -(MAGIC + header_end - header)
	align 8
	dw 6, 0				; module alignment: modules start at page boundaries
	dd 8
	align 8
	dw 10, 0			; relocatable header
	dd 24
	dd BASE_ALIGN			; lowest address
	dd 0xf0000000			; highest address of the image's end
	dd BASE_ALIGN			; alignment
%ifndef LOAD_PREFERENCE
%define LOAD_PREFERENCE 1		; 1: as low as possible, 2: as high as possible (a test uses that)
%endif
	dd LOAD_PREFERENCE
	align 8
	dw 0, 0
	dd 8
header_end:

section .boot progbits alloc exec nowrite align=16
bits 32
global boot_start
boot_start:
	cli
	cld
	lea	esp, [ebx + 8]		; the information's second word is reserved: enough of a stack to learn where we are
	call	.here
.here:
	pop	ebp
	sub	ebp, PHYS(.here)
	lea	esp, [ebp + PHYS(boot_stack_top)]
	cmp	eax, LOADED_BY
	mov	esi, PHYS(text_no_multiboot)
	jne	fail
	mov	[ebp + PHYS(boot_info_address)], ebx

	; long mode and no-execute: CPUID 0x80000001
	mov	eax, 0x80000000
	cpuid
	mov	esi, PHYS(text_no_long_mode)
	cmp	eax, 0x80000001
	jb	fail
	mov	eax, 0x80000001
	cpuid
	bt	edx, 29
	jnc	fail
	mov	esi, PHYS(text_no_nx)
	bt	edx, 20
	jnc	fail

	; four page directories for the low 4 GiB
	lea	edi, [ebp + PHYS(early_low)]
	mov	eax, 0x83		; present, writable, 2 MiB
	mov	ecx, 4 * 512
.low:
	mov	[edi], eax
	mov	dword [edi + 4], 0
	add	edi, 8
	add	eax, 0x200000
	loop	.low
	; one for the kernel image: linked at KERNEL_BASE + x, loaded at x + ebp
	lea	edi, [ebp + PHYS(early_kernel)]
	lea	eax, [ebp + 0x83]
	mov	ecx, 8
.kernel:
	mov	[edi], eax
	mov	dword [edi + 4], 0
	add	edi, 8
	add	eax, 0x200000
	loop	.kernel
	; the upper levels
	lea	edi, [ebp + PHYS(early_pdpt_low)]
	lea	eax, [ebp + PHYS(early_low) + 3]
	mov	ecx, 4
.pdpt:
	mov	[edi], eax
	add	edi, 8
	add	eax, 0x1000
	loop	.pdpt
	lea	eax, [ebp + PHYS(early_kernel) + 3]
	mov	[ebp + PHYS(early_pdpt_kernel) + 510 * 8], eax
	lea	eax, [ebp + PHYS(early_pdpt_low) + 3]
	mov	[ebp + PHYS(early_root)], eax
	mov	[ebp + PHYS(early_root) + 256 * 8], eax
	lea	eax, [ebp + PHYS(early_pdpt_kernel) + 3]
	mov	[ebp + PHYS(early_root) + 511 * 8], eax

	mov	eax, cr4
	or	eax, 0x20		; PAE
	mov	cr4, eax
	lea	eax, [ebp + PHYS(early_root)]
	mov	cr3, eax
	mov	ecx, 0xc0000080		; EFER: long mode, no-execute, SYSCALL
	rdmsr
	or	eax, 0x901
	wrmsr
	mov	eax, cr0
	and	eax, ~0x0c		; no emulation, no trap on FPU use
	or	eax, 0x80010023		; paging, write protection, FPU errors by exception, monitor
	mov	cr0, eax

	lea	eax, [ebp + PHYS(early_gdt)]
	mov	[ebp + PHYS(early_gdtr) + 2], eax
	lgdt	[ebp + PHYS(early_gdtr)]
	lea	eax, [ebp + PHYS(long_mode)]
	push	dword 8
	push	eax
	retf

; esi: a message's link address.  To the serial line, then stop.
fail:
	add	esi, ebp
.next:
	lodsb
	test	al, al
	jz	.stop
	mov	ah, al
	mov	dx, 0x3fd
	mov	ecx, 100000
.busy:
	in	al, dx
	test	al, 0x20
	jnz	.ready
	loop	.busy
.ready:
	mov	dx, 0x3f8
	mov	al, ah
	out	dx, al
	jmp	.next
.stop:
	mov	dx, 0xf4		; ends an emulator that has the device
	mov	al, 0x7e
	out	dx, al
.halt:
	hlt
	jmp	.halt

bits 64
long_mode:
	mov	ax, 16
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	xor	eax, eax
	mov	fs, ax
	mov	gs, ax
	mov	rax, .high
	jmp	rax
.high:
	mov	rsp, boot_stack_top
	mov	edi, [rel boot_info_address]
	movsxd	rsi, ebp		; how far from the link address we were loaded
	xor	ebp, ebp		; back-traces end here
	extern	boot_main
	call	boot_main
	ud2

section .rodata
text_no_multiboot: db "Faultline: not started by a Multiboot2 boot loader", 13, 10, 0
text_no_long_mode: db "Faultline: this processor has no 64-bit mode", 13, 10, 0
text_no_nx:	   db "Faultline: this processor has no execute-disable", 13, 10, 0

section .data
align 8
early_gdt:
	dq 0
	dq 0x00af9a000000ffff		; 64-bit code
	dq 0x00cf92000000ffff		; data
early_gdtr:
	dw 23
	dq 0
boot_info_address: dd 0

section .bss nobits alloc write align=4096
global boot_stack_top
early_root:		resb 4096
early_pdpt_low:		resb 4096
early_pdpt_kernel:	resb 4096
early_low:		resb 4 * 4096
early_kernel:		resb 4096
boot_stack:		resb 4 * 4096
boot_stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
