#include "cli/eval/sandbox_filter.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <vector>

namespace lacuna::cli {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;
#endif

// From here on calls have the same number on all processors, and are newer than this list. The
// x32 calls of x86-64 are above it, too.
constexpr std::uint32_t kFirstUnknownCall = 451;

constexpr auto kRefused = std::to_array<std::uint32_t>({
    // Network.
    SYS_socket,
    SYS_io_uring_setup,  // has sockets and files of its own
// Processes and threads.
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
    SYS_clone,
    SYS_clone3,
    SYS_unshare,
    SYS_setns,
    // Other processes of the user.
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_pidfd_getfd,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_kcmp,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_sched_setparam,
    SYS_sched_setscheduler,
    SYS_sched_setattr,
    SYS_sched_setaffinity,
// Files.
#ifdef SYS_creat
    SYS_creat,
    SYS_rename,
    SYS_link,
    SYS_symlink,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
#endif
    SYS_openat2,  // its flags cannot be seen here
    SYS_open_by_handle_at,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_truncate,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_memfd_create,
    SYS_memfd_secret,
    // What outlives a process.
    SYS_shmget,
    SYS_shmctl,
    SYS_semget,
    SYS_semctl,
    SYS_msgget,
    SYS_msgctl,
    SYS_mq_open,
    SYS_mq_unlink,
    SYS_mq_notify,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    // The machine.
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsmount,
    SYS_fspick,
    SYS_fsconfig,
    SYS_mount_setattr,
    SYS_swapon,
    SYS_swapoff,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_acct,
    SYS_reboot,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_fanotify_init,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_vhangup,
    SYS_syslog,
});

// Calls that are refused for some values of an argument only.
struct Condition {
  std::uint32_t call;
  std::uint32_t argument;
  std::uint32_t operation;  // BPF_JSET: any of these bits; BPF_JEQ: this value
  std::uint32_t value;
};

constexpr std::uint32_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC;
constexpr std::uint32_t kSetSignal = 10;         // fcntl F_SETSIG
constexpr std::uint32_t kSetOwnerEx = 15;        // fcntl F_SETOWN_EX
constexpr std::uint32_t kFakeInput = 0x5412;     // ioctl TIOCSTI: types into a terminal
constexpr std::uint32_t kLinuxConsole = 0x541C;  // ioctl TIOCLINUX: the same
constexpr std::uint32_t kSetOwner = 0x8901;      // ioctl FIOSETOWN

constexpr auto kRefusedIf = std::to_array<Condition>({
#ifdef SYS_open
    {SYS_open, 1, BPF_JSET, kWriting},
#endif
    {SYS_openat, 2, BPF_JSET, kWriting},
    // It must die with us.
    {SYS_prctl, 0, BPF_JEQ, PR_SET_PDEATHSIG},
    // The kernel sends a signal to the owner of a file.
    {SYS_fcntl, 1, BPF_JEQ, F_SETOWN},
    {SYS_fcntl, 1, BPF_JEQ, kSetSignal},
    {SYS_fcntl, 1, BPF_JEQ, kSetOwnerEx},
    {SYS_ioctl, 1, BPF_JEQ, kFakeInput},
    {SYS_ioctl, 1, BPF_JEQ, kLinuxConsole},
    {SYS_ioctl, 1, BPF_JEQ, kSetOwner},
});

constexpr sock_filter statement(std::uint32_t code, std::uint32_t value) {
  return {static_cast<std::uint16_t>(code), 0, 0, value};
}

constexpr sock_filter jump(std::uint32_t code, std::uint32_t value, int if_true, int if_false) {
  return {static_cast<std::uint16_t>(BPF_JMP | BPF_K | code), static_cast<std::uint8_t>(if_true),
          static_cast<std::uint8_t>(if_false), value};
}

constexpr sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

// The low half of an argument, which holds all of an int; both processors are little-endian.
constexpr std::size_t offset_of_argument(std::uint32_t argument) {
  return offsetof(seccomp_data, args) + sizeof(std::uint64_t) * argument;
}

std::vector<sock_filter> build() {
  const sock_filter refuse = statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  const sock_filter kill = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  const sock_filter load_call = load(offsetof(seccomp_data, nr));
  std::vector<sock_filter> filter = {load(offsetof(seccomp_data, arch)),
                                     jump(BPF_JEQ, kArchitecture, 1, 0),
                                     kill,
                                     load_call,
                                     jump(BPF_JGE, kFirstUnknownCall, 0, 1),
                                     refuse};
  for (const std::uint32_t call : kRefused) {
    filter.push_back(jump(BPF_JEQ, call, 0, 1));
    filter.push_back(refuse);
  }
  for (const Condition& it : kRefusedIf) {
    filter.push_back(jump(BPF_JEQ, it.call, 0, 4));
    filter.push_back(load(offset_of_argument(it.argument)));
    filter.push_back(jump(it.operation, it.value, 0, 1));
    filter.push_back(refuse);
    filter.push_back(load_call);
  }
  // The limits of another process. 0 is the caller itself.
  filter.push_back(jump(BPF_JEQ, SYS_prlimit64, 0, 3));
  filter.push_back(load(offset_of_argument(0)));
  filter.push_back(jump(BPF_JEQ, 0, 1, 0));
  filter.push_back(refuse);
  filter.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return filter;
}

}  // namespace

std::span<const sock_filter> sandbox_filter() {
  if (kArchitecture == 0) return {};
  static const std::vector<sock_filter> filter = build();
  return filter;
}

}  // namespace lacuna::cli
