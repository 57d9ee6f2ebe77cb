// swift-tools-version: 6.0
// At the root, where Swift's package manager looks; the code is below ios/.
import PackageDescription

let package = Package(
  name: "DEIMv2Kit",
  platforms: [.iOS(.v17), .macOS(.v14)],
  products: [.library(name: "DEIMv2Kit", targets: ["DEIMv2Kit"])],
  targets: [
    .target(name: "DEIMv2Kit", path: "ios/Sources/DEIMv2Kit"),
    .testTarget(
      name: "DEIMv2KitTests", dependencies: ["DEIMv2Kit"], path: "ios/Tests/DEIMv2KitTests"),
  ]
)
