// swift-tools-version: 6.0
// A package of its own: whoever adds DEIMv2Kit alone never downloads ExecuTorch.
import PackageDescription

let package = Package(
  name: "DEIMv2ExecuTorch",
  platforms: [.iOS(.v17), .macOS(.v14)],
  products: [.library(name: "DEIMv2ExecuTorch", targets: ["DEIMv2ExecuTorch"])],
  dependencies: [
    .package(name: "DEIMv2Kit", path: "../.."),
    .package(
      url: "https://github.com/pytorch/executorch.git",
      revision: "56cc93a96d5fb8d21554ec5f00fbad5a5b228bc4"),  // swiftpm-1.5.0; README.md says why
  ],
  targets: [
    .target(
      name: "DEIMv2ExecuTorch",
      dependencies: [
        "DEIMv2Kit",
        .product(name: "executorch", package: "executorch"),
        .product(name: "backend_coreml", package: "executorch"),
        .product(name: "backend_xnnpack", package: "executorch"),
        .product(name: "kernels_optimized", package: "executorch"),
        .product(name: "kernels_quantized", package: "executorch"),
      ])
  ]
)
