//! The system calls of a node that serves, found by tracing one, and by reading what it is made of: tokio, the standard
//! library, cap-std, wasmtime, and the C libraries of Debian 11 to 13 with their resolvers.
//!
//! Where a call has a dangerous half, its arguments are judged. Pointers cannot be followed from here, so that names of files
//! are not: which files there are is the matter of the user it runs as, and of the unit that starts it.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

/// A call without rules counts whatever its arguments are; with some, when one of them holds.
pub(super) type Rules = BTreeMap<i64, Vec<SeccompRule>>;

type Condition = Result<SeccompCondition, BackendError>;

/// Calls that every kind of processor has, whatever their arguments.
const PLAIN: &[c_long] = &[
    // Reading and writing what is open.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_fcntl,
    libc::SYS_flock,
    // Files and directories.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_umask,
    // Memory: what can be made of it is judged below.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_memfd_create,
    libc::SYS_membarrier,
    // Connections; whose, and of which kind, is judged where they are made.
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_eventfd2,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    // Threads, and the end of them and of a child.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpriority,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // Signals to itself.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // What is so.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// The same under older names.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_getrlimit,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What whoever is past the first wall would want most. None of it is on a list, and a test keeps it so.
#[cfg(test)]
pub(super) const FORBIDDEN: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_seccomp,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_personality,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_pkey_mprotect,
    libc::SYS_remap_file_pages,
    libc::SYS_shmat,
    libc::SYS_vmsplice,
    libc::SYS_mknodat,
    libc::SYS_symlinkat,
    libc::SYS_fchownat,
    libc::SYS_listen,
];

/// Commands of `ioctl`: whether bytes wait, whether it is a terminal, which index a network interface has (for addresses that
/// name one), and which pages an instance has touched.
const PAGEMAP_SCAN: u32 = 0xC060_6610;
const TCGETS2: u32 = 0x802C_542A;
const SIOCGIFNAME: u32 = 0x8910;
const SIOCGIFINDEX: u32 = 0x8933;

/// Has a range of memory carry a name (`prctl`); some C libraries do so with stacks.
const PR_SET_VMA: u32 = 0x5356_4D41;

/// One process or thread (`setpriority`); C libraries differ in its type.
const PRIO_PROCESS: u32 = 0;

/// The low bits of a socket's type, beside its flags.
const SOCKET_KIND: u32 = 0xF;

/// What can give a thread another view of the system than the rest of the process has.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Calls that are answered as by a kernel that does not have them.
pub(super) fn absent() -> Rules {
    Rules::from([(libc::SYS_clone3, Vec::new())])
}

/// Calls that are answered with a refusal, and nothing worse.
pub(super) fn denied() -> Result<Rules, BackendError> {
    // A file as code.
    let executable = masked(2, libc::PROT_EXEC as u32, libc::PROT_EXEC as u32);
    Ok(Rules::from([(libc::SYS_mmap, vec![all([executable, masked(3, libc::MAP_ANONYMOUS as u32, 0)])?])]))
}

/// Calls that are made as they are asked for. `own` is the number of this process.
pub(super) fn needed(own: u32) -> Result<Rules, BackendError> {
    let plain = PLAIN.iter().chain(OLDER).map(|call| (*call, Vec::new()));
    let answered = absent().into_keys().map(|call| (call, Vec::new()));
    Ok(plain.chain(answered).chain(memory()?).chain(processes(own)?).chain(sockets()?).chain(devices()?).collect())
}

/// No memory becomes code: what runs was there when the wall was raised.
fn memory() -> Result<Rules, BackendError> {
    let no_code = || masked(2, libc::PROT_EXEC as u32, 0);
    Ok(Rules::from([
        // A file as code is answered by the other list.
        (libc::SYS_mmap, vec![all([no_code()])?, all([masked(3, libc::MAP_ANONYMOUS as u32, 0)])?]),
        (libc::SYS_mprotect, vec![all([no_code()])?]),
    ]))
}

/// Threads, but no processes. Signals: those that end the private PostgreSQL, and any to this process itself.
fn processes(own: u32) -> Result<Rules, BackendError> {
    let thread = masked(0, NAMESPACES | libc::CLONE_THREAD as u32, libc::CLONE_THREAD as u32);
    let kill = |signal: i32| all([at_least(0, 1), at_most(0, i32::MAX.unsigned_abs()), is(1, signal.unsigned_abs())]);
    let option = |option: u32| all([is(0, option)]);
    Ok(Rules::from([
        (libc::SYS_clone, vec![all([thread])?]),
        (libc::SYS_kill, vec![kill(libc::SIGINT)?, kill(libc::SIGQUIT)?, kill(libc::SIGKILL)?]),
        (libc::SYS_tgkill, vec![all([is(0, own)])?]),
        // A thread's own; lower is anyone's right.
        (libc::SYS_setpriority, vec![all([is(0, PRIO_PROCESS), is(1, 0)])?]),
        (libc::SYS_sched_setattr, vec![all([is(0, 0)])?]),
        // To read bounds, not to set them.
        (libc::SYS_prlimit64, vec![all([is_null(2)])?]),
        (libc::SYS_prctl, vec![option(libc::PR_SET_NAME as u32)?, option(libc::PR_GET_NAME as u32)?, option(PR_SET_VMA)?]),
    ]))
}

/// TCP and UDP, the private PostgreSQL's kind, and the kernel's word on addresses (which the resolver asks for).
fn sockets() -> Result<Rules, BackendError> {
    let mut made =
        vec![all([is(0, libc::AF_UNIX as u32)])?, all([is(0, libc::AF_NETLINK as u32), is(2, libc::NETLINK_ROUTE as u32)])?];
    for domain in [libc::AF_INET, libc::AF_INET6] {
        for (kind, protocol) in [(libc::SOCK_STREAM, libc::IPPROTO_TCP), (libc::SOCK_DGRAM, libc::IPPROTO_UDP)] {
            for protocol in [0, protocol] {
                let of_kind = masked(1, SOCKET_KIND, kind as u32);
                made.push(all([is(0, domain as u32), of_kind, is(2, protocol as u32)])?);
            }
        }
    }
    // Any option but those that bring programs into the kernel.
    let programs = [libc::SO_ATTACH_FILTER, libc::SO_ATTACH_BPF, libc::SO_ATTACH_REUSEPORT_CBPF, libc::SO_ATTACH_REUSEPORT_EBPF];
    Ok(Rules::from([
        (libc::SYS_socket, made),
        (libc::SYS_socketpair, vec![all([is(0, libc::AF_UNIX as u32)])?]),
        (
            libc::SYS_setsockopt,
            vec![all([is_not(1, libc::SOL_SOCKET as u32)])?, all(programs.map(|option| is_not(2, option as u32)))?],
        ),
    ]))
}

fn devices() -> Result<Rules, BackendError> {
    let commands = [
        libc::FIONBIO as u32,
        libc::FIOCLEX as u32,
        libc::FIONREAD as u32,
        libc::TCGETS as u32,
        TCGETS2,
        libc::TIOCGWINSZ as u32,
        SIOCGIFNAME,
        SIOCGIFINDEX,
        PAGEMAP_SCAN,
    ];
    let rules: Result<Vec<_>, _> = commands.into_iter().map(|command| all([is(1, command)])).collect();
    Ok(Rules::from([(libc::SYS_ioctl, rules?)]))
}

fn all<const N: usize>(conditions: [Condition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

/// Of an argument the low half counts, as the kernel takes no more of these.
fn low(argument: u8, operator: SeccompCmpOp, value: u32) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value.into())
}

fn is(argument: u8, value: u32) -> Condition {
    low(argument, SeccompCmpOp::Eq, value)
}

fn is_not(argument: u8, value: u32) -> Condition {
    low(argument, SeccompCmpOp::Ne, value)
}

fn at_least(argument: u8, value: u32) -> Condition {
    low(argument, SeccompCmpOp::Ge, value)
}

fn at_most(argument: u8, value: u32) -> Condition {
    low(argument, SeccompCmpOp::Le, value)
}

fn masked(argument: u8, mask: u32, value: u32) -> Condition {
    low(argument, SeccompCmpOp::MaskedEq(mask.into()), value)
}

fn is_null(argument: u8) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}
