; arch/x86_64/trampoline.asm - where another processor starts: from real mode to C in the higher half.
;
; It begins at the start of the page that the start interrupt names, and so runs on a copy below 1 MiB: all addresses are relative to that.  EBX
; holds where the copy lies once the processor is in protected mode.  From paging on it runs on tables that map the copy at its own address, not writable, beside the
; kernel.  others.c fills in the data at the end.
;
; A processor that comes when it is not (or no longer) waited for halts here, before it has touched anything.
;
; (Intel SDM volume 3: 8.4.4 the start, 9.8.5 entering long mode.)

extern cpu_start_here

%define AT(label) (label - trampoline)

; state, as in others.c
WANTED		equ 1
CAME		equ 2

CODE32		equ 8
CODE64		equ 16
DATA		equ 24

section .rodata align=8
global trampoline, trampoline_data, trampoline_end
bits 16
trampoline:
	cli
	cld
	mov ax, cs
	mov ds, ax
	mov eax, 1
	cpuid
	shr ebx, 24			; its number, or the lower part of it
	cmp bl, [AT(data_apic_id)]
	jne .stop
	mov eax, WANTED
	mov ecx, CAME
	lock cmpxchg [AT(data_state)], ecx
	je .come
.stop:	hlt
	jmp .stop

.come:	xor ebx, ebx
	mov bx, cs
	shl ebx, 4
	lea eax, [ebx + AT(gdt)]
	mov [AT(gdt_register) + 2], eax
	o32 lgdt [AT(gdt_register)]
	lea eax, [ebx + AT(protected)]
	mov [AT(far32)], eax
	lea eax, [ebx + AT(long_mode)]
	mov [AT(far64)], eax
	mov eax, cr0
	and eax, ~(3 << 29)		; caches on
	or eax, 1			; protection
	mov cr0, eax
	jmp far dword [AT(far32)]

bits 32
protected:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, 1 << 5			; PAE
	mov cr4, eax
	mov eax, [ebx + AT(data_root)]
	mov cr3, eax
	mov ecx, 0xc0000080		; EFER: long mode, no-execute
	rdmsr
	or eax, 1 << 8 | 1 << 11
	wrmsr
	mov eax, cr0
	or eax, 1 << 31 | 1 << 16	; paging, write protection
	mov cr0, eax
	jmp far dword [ebx + AT(far64)]

bits 64
long_mode:
	mov ebx, ebx
	mov rsp, [rbx + AT(data_stack)]
	mov rdi, [rbx + AT(data_cpu)]
	xor eax, eax
	mov fs, ax
	mov gs, ax
	xor ebp, ebp			; back-traces end here
	mov rax, cpu_start_here
	call rax
.stop:	hlt
	jmp .stop

align 8
gdt:	dq 0
	dq 0x00cf9b000000ffff		; code, 32 bits; all are marked as accessed: the processor need not write that
	dq 0x00af9b000000ffff		; code, 64 bits
	dq 0x00cf93000000ffff		; data
gdt_end:
gdt_register:
	dw gdt_end - gdt - 1
	dd 0
far32:	dd 0
	dw CODE32
far64:	dd 0
	dw CODE64

; struct trampoline_data of others.c
align 8
trampoline_data:
data_stack:	dq 0
data_cpu:	dq 0
data_root:	dd 0
data_apic_id:	dd 0
data_state:	dd 0
trampoline_end:
