; arch/x86_64/entry.asm - the doors of the kernel: exceptions, interrupts, SYSCALL; thread switch; copies from and to user memory.
;
; Every entry builds a struct trap_frame (frame.h) on the kernel stack.  Interrupts are off until C turns them on.  In the kernel the
; GS base is the per-CPU data; SWAPGS exchanges it with the user's, exactly once on the way in from user mode and once on the way out.
;
; Four exceptions can come between those two points (NMI, machine check, double fault, and debug by way of a delayed trap): from kernel
; mode they do not guess whose GS base is loaded but save it, load the processor's, and put it back.  They have stacks of their own (IST), at whose top
; stands where the processor's data are.
;
; (Intel SDM volume 3, 6.14: frames and IST; volume 2: SYSCALL, SYSRET, SWAPGS.)

extern trap_dispatch, trap_dispatch_paranoid, kernel_syscall, kernel_work_pending, kernel_user_return, kernel_thread_begin

; struct arch_cpu
CPU_STACK	equ 8
CPU_USER_SP	equ 16

; struct trap_frame, from its start
FRAME_RAX	equ 64
FRAME_RDI	equ 72
FRAME_VECTOR	equ 120
FRAME_RIP	equ 136
FRAME_CS	equ 144
FRAME_RFLAGS	equ 152
FRAME_RSP	equ 160

FRAME_SIZE	equ 176

USER_DS		equ 0x2b
USER_CS		equ 0x33
VECTOR_SYSCALL	equ 256
MSR_GS_BASE	equ 0xc0000101

section .fixup align=8 progbits alloc noexec nowrite
section .smap_sites align=8 progbits alloc noexec nowrite
section .text
bits 64

; Opens or closes user memory to the kernel: room for STAC or CLAC, which descriptors.c writes where the processor has SMAP.
%macro smap 1
%%site:	db 0x0f, 0x1f, 0x00		; a 3-byte NOP
section .smap_sites
	dq %%site		; address, and the last byte of the instruction
	dq %1
section .text
%endmacro
OPEN		equ 0xcb		; 0f 01 cb: STAC
CLOSE		equ 0xca		; 0f 01 ca: CLAC

%macro push_registers 0
	push r9
	push r8
	push r10
	push rdx
	push rsi
	push rdi
	push rax
	push rcx
	push r11
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
%endmacro

%macro pop_registers 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	pop r11
	pop rcx
	pop rax
	pop rdi
	pop rsi
	pop rdx
	pop r10
	pop r8
	pop r9
%endmacro

; ---- exceptions and interrupts ----------------------------------------------------------------------------------------------------

; One stub a vector: pushes an error code where the processor does not, and the vector.
%assign vector 0
%rep 256
trap_stub_ %+ vector:
%if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
%else
	push 0
%endif
	push vector
%if vector == 1 || vector == 2 || vector == 8 || vector == 18
	jmp paranoid_entry
%else
	jmp trap_entry
%endif
%assign vector vector + 1
%endrep

trap_entry:
	push_registers
	cld
	smap CLOSE
	mov rdi, rsp
	test byte [rsp + FRAME_CS], 3
	jnz trap_from_user
	mov rbp, rsp			; a back-trace that comes to this call knows that rbp is the frame
	call trap_dispatch
global trap_from_kernel
trap_from_kernel:
	pop_registers
	add rsp, 16
	iretq
trap_from_user:
	swapgs
	xor ebp, ebp			; back-traces end here
	call trap_dispatch
	jmp user_return

; The four that trust nothing.
paranoid_entry:
	push_registers
	cld
	smap CLOSE
	test byte [rsp + FRAME_CS], 3
	jnz .user
	mov ecx, MSR_GS_BASE
	rdmsr
	mov r12d, eax			; whoever's it is
	mov r13d, edx
	mov rax, [rsp + FRAME_SIZE]
	mov rdx, rax
	shr rdx, 32
	wrmsr
	mov rdi, rsp
	call trap_dispatch_paranoid
	mov ecx, MSR_GS_BASE
	mov eax, r12d
	mov edx, r13d
	wrmsr
	pop_registers
	add rsp, 16
	iretq
.user:	swapgs				; from user mode it may sleep: moves over to the thread's stack
	mov rdi, rsp
	mov rsp, [gs:CPU_STACK]
	sub rsp, FRAME_SIZE
	mov rsi, rdi
	mov rdi, rsp
	mov ecx, FRAME_SIZE / 8
	rep movsq
	mov rdi, rsp
	xor ebp, ebp
	call trap_dispatch_paranoid
	jmp user_return

; ---- the way to user mode -----------------------------------------------------------------------------------------------------------

; void trap_return(struct trap_frame *): user mode with this frame, after whatever has to be done first.
global trap_return
trap_return:
	mov rsp, rdi
user_return:
	cli
	call kernel_work_pending
	test al, al
	jnz .work
.all:	pop_registers
	add rsp, 16
	swapgs
	iretq
.work:	sti
	mov rdi, rsp
	call kernel_user_return
	jmp user_return

; ---- system calls --------------------------------------------------------------------------------------------------------------------

; In: number in rax, arguments in rdi rsi rdx r10 r8 r9, return address in rcx, flags in r11; interrupts off by FMASK.
global syscall_entry
syscall_entry:
	swapgs
	mov [gs:CPU_USER_SP], rsp
	mov rsp, [gs:CPU_STACK]
	push USER_DS
	push qword [gs:CPU_USER_SP]
	push r11
	push USER_CS
	push rcx
	push rax
	push VECTOR_SYSCALL
	push_registers
	sti
	xor ebp, ebp
	mov rdi, rsp			; the frame
	mov rsi, rax			; the number
	lea rdx, [rsp + FRAME_RDI]	; the arguments lie in the frame in their order
	call kernel_syscall
	mov [rsp + FRAME_RAX], rax
	cli
	call kernel_work_pending
	test al, al
	jnz .slow
	; The short way if nobody has replaced the registers, and the address is one that SYSRET can take: with another it
	; faults in kernel mode, on the user's stack.
	cmp qword [rsp + FRAME_VECTOR], VECTOR_SYSCALL
	jne user_return.all
	mov rcx, [rsp + FRAME_RIP]
	mov r11, rcx
	shr r11, 47
	jnz user_return.all
	mov r11, [rsp + FRAME_RFLAGS]
	mov rbp, [rsp + 32]		; the C code has kept r12 to r15 and rbx
	mov rax, [rsp + FRAME_RAX]
	mov rdi, [rsp + FRAME_RDI]
	mov rsi, [rsp + FRAME_RDI + 8]
	mov rdx, [rsp + FRAME_RDI + 16]
	mov r10, [rsp + FRAME_RDI + 24]
	mov r8, [rsp + FRAME_RDI + 32]
	mov r9, [rsp + FRAME_RDI + 40]
	mov rsp, [rsp + FRAME_RSP]
	swapgs
	o64 sysret
.slow:	sti
	mov rdi, rsp
	call kernel_user_return
	jmp user_return

; ---- threads --------------------------------------------------------------------------------------------------------------------------

; void stack_switch(vaddr_t *save, vaddr_t load)
global stack_switch
stack_switch:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; First code of a new thread.  r12: 0, and its user frame is in r13; else the kernel function to call, with r13.
global thread_first
thread_first:
	xor ebp, ebp
	call kernel_thread_begin
	mov rdi, r13
	test r12, r12
	jz trap_return
	sti
	call r12
	ud2				; the function does not return

; ---- user memory ------------------------------------------------------------------------------------------------------------------------

; A fault at the first address goes on at the second when it cannot be served.
%macro fixup 2
section .fixup
	dq %1, %2
section .text
%endmacro

; size_t user_copy(void *to, const void *from, size_t n): one of the two is a user address inside user space.  The number of bytes that were not copied.
; Words first; when they meet a page that is not there, bytes go on up to its very edge.
global user_copy
user_copy:
	mov rcx, rdx
	and edx, 7
	shr rcx, 3
	smap OPEN
.words:	rep movsq
	mov ecx, edx
.bytes:	rep movsb
.end:	smap CLOSE
	mov rax, rcx
	ret
.words_failed:
	lea rcx, [rcx * 8 + rdx]
	jmp .bytes
	fixup .words, .words_failed
	fixup .bytes, .end

; size_t user_fill_zero(void *to, size_t n)
global user_fill_zero
user_fill_zero:
	mov rcx, rsi
	and esi, 7
	shr rcx, 3
	xor eax, eax
	smap OPEN
.words:	rep stosq
	mov ecx, esi
.bytes:	rep stosb
.end:	smap CLOSE
	mov rax, rcx
	ret
.words_failed:
	lea rcx, [rcx * 8 + rsi]
	jmp .bytes
	fixup .words, .words_failed
	fixup .bytes, .end

; int user_word_load(const uint32_t *from, uint32_t *value): 0, or -1 if the word cannot be read.  One access.
global user_word_load
user_word_load:
	smap OPEN
.load:	mov ecx, [rdi]
	smap CLOSE
	mov [rsi], ecx
	xor eax, eax
	ret
.failed:
	smap CLOSE
	mov eax, -1
	ret
	fixup .load, .failed

; int user_word_cmpxchg(uint32_t *at, uint32_t old, uint32_t new, uint32_t *seen): 0, or -1 if the word cannot be written.
global user_word_cmpxchg
user_word_cmpxchg:
	mov eax, esi
	smap OPEN
.swap:	lock cmpxchg [rdi], edx
	smap CLOSE
	mov [rcx], eax
	xor eax, eax
	ret
.failed:
	smap CLOSE
	mov eax, -1
	ret
	fixup .swap, .failed

section .rodata
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
	dq trap_stub_ %+ vector
%assign vector vector + 1
%endrep
