/* A plugin for qemu's user emulation that counts the instructions of the emulated program. At each
 * getsid, which the workers call around every inference and nothing else calls, it logs the count.
 *
 * qemu looks up qemu_plugin_version and qemu_plugin_install, and these functions of its own; they are
 * declared here because Debian and Ubuntu do not package qemu-plugin.h. A call per block of instructions
 * costs no time that could be measured, and needs less of the interface than counting inline.
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { GETSID = 156, NO_REGISTERS = 0 }; /* arm64's number of the call; qemu_plugin_cb_flags */

struct qemu_plugin_tb;
typedef void on_block(uint64_t id, struct qemu_plugin_tb *block);
typedef void on_run(unsigned int cpu, void *data);
typedef void on_syscall(uint64_t id, unsigned int cpu, int64_t number, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, on_block *);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, on_run *, int flags, void *data);
void qemu_plugin_register_vcpu_syscall_cb(uint64_t id, on_syscall *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_outs(const char *text);

int qemu_plugin_version = 1; /* of qemu 7.2 */

static uint64_t count; /* the workers run one thread */

static void run(unsigned int cpu, void *instructions) { count += (uintptr_t)instructions; }

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
    void *instructions = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, run, NO_REGISTERS, instructions);
}

static void called(uint64_t id, unsigned int cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    if (number == GETSID) {
        char line[32];
        snprintf(line, sizeof line, "%" PRIu64 "\n", count);
        qemu_plugin_outs(line);
    }
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
