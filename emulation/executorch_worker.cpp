// Runs a `.pte` file inside the emulated ARM64. Same arguments and files as litert_worker.py:
// executorch_worker MODEL FRAMES OUTPUTS BOXES SCORES LABELS

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/extension/threadpool/threadpool_guard.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

using namespace executorch::extension;

template <typename T>
static T &checked(executorch::runtime::Result<T> &result, const char *step) {
    if (!result.ok()) {
        std::fprintf(stderr, "%s failed with ExecuTorch's error 0x%x\n", step, (unsigned)result.error());
        std::exit(1);
    }
    return result.get();
}

int main(int argc, char **argv) {
    if (argc != 7) {
        std::fprintf(stderr, "usage: %s MODEL FRAMES OUTPUTS BOXES SCORES LABELS\n", argv[0]);
        return 2;
    }
    threadpool::NoThreadPoolGuard one_thread;
    Module net(argv[1]);
    auto found = net.method_meta("forward");
    auto input = checked(found, "loading").input_tensor_meta(0);
    const auto &image = checked(input, "reading the input");
    std::vector<int> shape(image.sizes().begin(), image.sizes().end());
    std::vector<uint8_t> frame(image.nbytes());
    std::FILE *frames = std::fopen(argv[2], "rb"), *outputs = std::fopen(argv[3], "wb");
    if (!frames || !outputs) {
        std::perror(frames ? argv[3] : argv[2]);
        return 1;
    }
    getsid(0);  // where count.c takes the number of instructions
    while (std::fread(frame.data(), 1, frame.size(), frames) == frame.size()) {
        auto result = net.forward(from_blob(frame.data(), shape, executorch::aten::ScalarType::Byte));
        auto &tensors = checked(result, "running");
        getsid(0);
        for (int i = 4; i < argc; i++) {
            const auto &tensor = tensors.at(std::atoi(argv[i])).toTensor();
            std::fwrite(tensor.const_data_ptr(), 1, tensor.nbytes(), outputs);
        }
    }
    return std::fclose(outputs) ? 1 : 0;
}
