; arch/x86_64/boot.asm - from the loader's 32-bit world to C in the higher half.
;
; The loader may put the image anywhere in the low 4 GiB (Multiboot2 tag 10), so everything here is found relative to where the
; code runs: ESI holds the image's physical start from the first lines on.  The tables built here map
;   the low 4 GiB at 0 (to have ground under the feet when paging comes on) and at DIRECT_BASE, and the image at KERNEL_BASE,
; all of it writable and executable; direct_map.c replaces them by exact ones, reusing those of the image.
;
; The formats: Multiboot2 specification 3.1 (header) and 3.3 (machine state at entry); Intel SDM volume 3, 9.8.5 (entering long mode).

MULTIBOOT2_HEADER	equ 0xe85250d6
MULTIBOOT2_LOADED	equ 0x36d76289
COM1			equ 0x3f8
DEBUG_EXIT		equ 0xf4

PRESENT_WRITE		equ 3
HUGE_PRESENT_WRITE	equ 0x83
DIRECT_SLOT		equ 256		; of the root table: DIRECT_BASE
IMAGE_SLOT		equ 511		; KERNEL_BASE
IMAGE_SLOT2		equ 510		; of the next

; boot_tables, one page each
ROOT			equ 0
LOW_GIGABYTES		equ 0x1000
LOW_HUGE		equ 0x2000	; four of them
IMAGE_GIGABYTES		equ 0x6000
IMAGE_HUGE		equ 0x7000
IMAGE_LEAF		equ 0x8000
BOOT_TABLES		equ 0x9000

CODE64			equ 8
DATA			equ 16

extern arch_start
extern boot_tables_at, boot_stack_top_at

section .boot exec align=4096
bits 32

header:
	dd MULTIBOOT2_HEADER
	dd 0				; architecture: 32-bit protected mode of i386
	dd header_end - header
	dd -(MULTIBOOT2_HEADER + header_end - header)
	; module alignment: on pages
	align 8
	dw 6, 0
	dd 8
	; relocatable: anywhere from 1 MiB on, on a page, as low as possible
	align 8
	dw 10, 0
	dd 24
global multiboot_min_address
multiboot_min_address:
	dd 0x100000, 0xffffffff, 4096, 1
	; end
	align 8
	dw 0, 0
	dd 8
header_end:

global start
start:
	cli
	cld
	mov esp, 0x7c00			; free RAM on every PC; for one return address
	cmp eax, MULTIBOOT2_LOADED
	jne .base
	lea esp, [ebx + 8]		; better: the reserved word of the information
.base:	call .here
.here:	pop esi
	sub esi, .here - header		; ESI: where the image lies
	lea esp, [esi + boot_stack_top_at]
	mov ebp, ebx			; EBP: the information
	lea edi, [esi + (no_multiboot - header)]
	cmp eax, MULTIBOOT2_LOADED
	jne refuse

	call check_processor
	call build_tables
	mov eax, cr4
	or eax, 1 << 5			; PAE
	mov cr4, eax
	lea eax, [esi + boot_tables_at + ROOT]
	mov cr3, eax
	mov ecx, 0xc0000080		; EFER: long mode, no-execute
	rdmsr
	or eax, 1 << 8 | 1 << 11
	wrmsr
	mov eax, cr0
	or eax, 1 << 31 | 1		; paging, protection
	mov cr0, eax

	lea eax, [esi + (gdt - header)]
	sub esp, 8
	mov word [esp], gdt_end - gdt - 1
	mov [esp + 2], eax
	lgdt [esp]
	lea eax, [esi + (long_mode - header)]
	push dword CODE64
	push eax
	retf

; Prints the text at EDI and stops.  QEMU ends with the status of a panic, as in machine_end.
refuse:
	mov dx, COM1 + 3
	mov al, 3			; 8 bits, no parity
	out dx, al
.next:	mov dx, COM1 + 5
.wait:	in al, dx
	test al, 0x20			; transmitter empty (on a machine without the port: all ones)
	jz .wait
	mov al, [edi]
	inc edi
	test al, al
	jz .stop
	mov dx, COM1
	out dx, al
	jmp .next
.stop:	mov al, 1
	out DEBUG_EXIT, al
.halt:	hlt
	jmp .halt

check_processor:
	lea edi, [esi + (no_cpuid - header)]
	pushfd
	pop eax
	mov ecx, eax
	xor eax, 1 << 21		; EFLAGS.ID can be changed where there is CPUID
	push eax
	popfd
	pushfd
	pop eax
	cmp eax, ecx
	je refuse
	lea edi, [esi + (no_long_mode - header)]
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb refuse
	mov eax, 0x80000001
	cpuid
	bt edx, 29
	jnc refuse
	lea edi, [esi + (no_nx - header)]
	bt edx, 20
	jnc refuse
	ret

; The tables are in .bss, which the loader has zeroed.
build_tables:
	lea edi, [esi + boot_tables_at]
	lea eax, [edi + LOW_GIGABYTES + PRESENT_WRITE]
	mov [edi + ROOT], eax
	mov [edi + ROOT + 8 * DIRECT_SLOT], eax
	lea eax, [edi + IMAGE_GIGABYTES + PRESENT_WRITE]
	mov [edi + ROOT + 8 * IMAGE_SLOT], eax
	lea eax, [edi + IMAGE_HUGE + PRESENT_WRITE]
	mov [edi + IMAGE_GIGABYTES + 8 * IMAGE_SLOT2], eax
	lea eax, [edi + IMAGE_LEAF + PRESENT_WRITE]
	mov [edi + IMAGE_HUGE], eax

	lea eax, [edi + LOW_HUGE + PRESENT_WRITE]
	xor ecx, ecx
.gigabyte:
	mov [edi + LOW_GIGABYTES + 8 * ecx], eax
	add eax, 4096
	inc ecx
	cmp ecx, 4
	jb .gigabyte
	mov eax, HUGE_PRESENT_WRITE
	xor ecx, ecx
.huge:	mov [edi + LOW_HUGE + 8 * ecx], eax
	add eax, 0x200000
	inc ecx
	cmp ecx, 2048
	jb .huge
	lea eax, [esi + PRESENT_WRITE]
	xor ecx, ecx
.leaf:	mov [edi + IMAGE_LEAF + 8 * ecx], eax
	add eax, 4096
	inc ecx
	cmp ecx, 512
	jb .leaf
	ret

bits 64
long_mode:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov rax, .high
	jmp rax
.high:	mov rsp, boot_stack_top
	mov edi, ebp			; both came zero-extended
	mov esi, esi
	xor ebp, ebp			; back-traces end here
	call arch_start
.stop:	hlt
	jmp .stop

align 8
gdt:	dq 0
	dq 0x00209a0000000000		; code, 64 bits
	dq 0x0000920000000000		; data
gdt_end:

no_multiboot:	db "faultline: could not boot: not started by a Multiboot2 loader; boot it with GRUB's 'multiboot2' command", 13, 10, 0
no_cpuid:	db "faultline: could not boot: this processor has no CPUID; a 64-bit x86 is needed", 13, 10, 0
no_long_mode:	db "faultline: could not boot: this processor has no 64-bit mode", 13, 10, 0
no_nx:		db "faultline: could not boot: this processor cannot forbid execution (NX), or the firmware has switched that off", 13, 10, 0

; The page below the stack is taken out of the map by direct_map.c.
section .pages nobits alloc write noexec align=4096
global boot_tables, boot_stack_guard, boot_stack_top
boot_tables:
	resb BOOT_TABLES
boot_stack_guard:
	resb 4096
	resb 16384
boot_stack_top:
