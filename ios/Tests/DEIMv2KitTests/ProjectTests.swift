import XCTest

/// The sample's Xcode project is whole, as far as that can be said without Xcode.
final class ProjectTests: XCTestCase {
  private let folder = Vectors.repository.appending(path: "ios/App")

  func testEveryReferenceIsAnObjectAndEveryPathExists() throws {
    let file = folder.appending(path: "DEIMv2.xcodeproj/project.pbxproj")
    let text = try String(contentsOf: file, encoding: .utf8)
    let list = try PropertyListSerialization.propertyList(
      from: Data(text.utf8), options: [], format: nil)
    let project = try XCTUnwrap(list as? [String: Any])
    let objects = try XCTUnwrap(project["objects"] as? [String: [String: Any]])
    XCTAssertNotNil(objects[try XCTUnwrap(project["rootObject"] as? String)])

    let mentioned = Set(text.matches(of: /\b[0-9A-F]{24}\b/).map { String($0.output) })
    XCTAssertEqual(mentioned, Set(objects.keys))
    for object in objects.values where object["sourceTree"] as? String == "<group>" {
      guard let path = object["path"] as? String else { continue }
      let there = FileManager.default.fileExists(atPath: folder.appending(path: path).path)
      XCTAssertTrue(there, path)
    }
    let packages = objects.values.compactMap { $0["relativePath"] as? String }
    XCTAssertEqual(packages, ["../.."])
    for product in objects.values.compactMap({ $0["productName"] as? String }) {
      XCTAssertTrue(["DEIMv2", "DEIMv2Kit"].contains(product), product)
    }
  }

  func testTheSchemeRunsTheOptimisedBuildOfTheTarget() throws {
    let scheme = folder.appending(path: "DEIMv2.xcodeproj/xcshareddata/xcschemes/DEIMv2.xcscheme")
    let text = try String(contentsOf: scheme, encoding: .utf8)
    XCTAssertTrue(text.contains(#"<LaunchAction buildConfiguration = "Release""#))
    let project = folder.appending(path: "DEIMv2.xcodeproj/project.pbxproj")
    let objects = try String(contentsOf: project, encoding: .utf8)
    for match in text.matches(of: /BlueprintIdentifier = "([0-9A-F]{24})"/) {
      let target = "\(match.output.1) /* DEIMv2 */ = {\n\t\t\tisa = PBXNativeTarget;"
      XCTAssertTrue(objects.contains(target))
    }
  }
}
