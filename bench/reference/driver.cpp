// Times the C++ reference (gfwx.h) on raw samples, and prints one line of JSON.
//
//     driver RAWFILE width height channels u8|u16 ENCODER FILTER quality chroma_scale INTENT TRANSFORM
//            repetitions
//
// ENCODER, FILTER and INTENT are the numbers of the format's header; TRANSFORM is none or uyv. Of
// encoding, compress() into a buffer touched before is timed; of decoding, decompress() with the
// allocation of its result, which is not initialized.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "gfwx.h"

struct Options {
    std::string file;
    int width, height, channels;
    bool is_16_bit;
    int encoder, filter, quality, chroma_scale, intent;
    bool uyv;
    int repetitions;
};

static double seconds() {
    using clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

template <typename Sample>
static int run(const Options &options) {
    const size_t count = size_t(options.width) * options.height * options.channels;
    std::vector<Sample> image(count);
    std::ifstream stream(options.file, std::ios::binary);
    if (!stream.read(reinterpret_cast<char *>(image.data()), count * sizeof(Sample))) {
        std::cerr << "the file is too short\n";
        return 2;
    }

    // R - G; B - G; G + (R - G + B - G) / 4: the channel transform in the format's notation.
    const int uyv[] = {0, 1, -1, -1, 1, 1, 2, 1, -1, -1, 1, 1, 1, 0, 1, 2, 1, -1, 4, 0, -1};
    const int *transform = options.uyv ? uyv : nullptr;
    std::vector<uint8_t> data(count * sizeof(Sample) * 2 + (1 << 20));
    ptrdiff_t size = 0;
    std::vector<double> encoding, decoding;
    bool identical = true;
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
        GFWX::Header header(options.width, options.height, 1, options.channels, 0, options.quality,
                            options.chroma_scale, 7, options.filter, GFWX::QuantizationScalar,
                            options.encoder, options.intent);
        const double start = seconds();
        size = GFWX::compress(image.data(), header, data.data(), data.size(), transform, nullptr, 0);
        encoding.push_back(seconds() - start);
        if (size < 0) {
            std::cerr << "compress returned " << size << '\n';
            return 1;
        }
    }
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
        GFWX::Header header;
        const double start = seconds();
        std::unique_ptr<Sample[]> decoded(new Sample[count]);
        const ptrdiff_t result =
            GFWX::decompress(decoded.get(), header, data.data(), size_t(size), 0, false);
        decoding.push_back(seconds() - start);
        if (result != GFWX::ResultOk) {
            std::cerr << "decompress returned " << result << '\n';
            return 1;
        }
        identical = !std::memcmp(decoded.get(), image.data(), count * sizeof(Sample));
    }
    std::printf("{\"size\": %td, \"identical\": %s, \"encode_s\": %.6f, \"decode_s\": %.6f}\n", size,
                identical ? "true" : "false", *std::min_element(encoding.begin(), encoding.end()),
                *std::min_element(decoding.begin(), decoding.end()));
    return 0;
}

int main(int count, char **arguments) {
    if (count != 13) {
        std::cerr << "usage: driver RAWFILE width height channels u8|u16 encoder filter quality"
                     " chroma_scale intent none|uyv repetitions\n";
        return 2;
    }
    const auto number = [&](int index) { return std::atoi(arguments[index]); };
    const Options options = {arguments[1], number(2), number(3), number(4),
                             std::string(arguments[5]) == "u16", number(6), number(7), number(8),
                             number(9), number(10), std::string(arguments[11]) == "uyv",
                             number(12)};
    return options.is_16_bit ? run<uint16_t>(options) : run<uint8_t>(options);
}
