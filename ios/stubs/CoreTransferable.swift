// Compile-only stub of Core Transferable, which SwiftUI exports, as documented for iOS 17.
import CFStubs
import UniformTypeIdentifiers

public protocol TransferRepresentation: Sendable {
  associatedtype Item
}
public protocol Transferable {
  associatedtype Representation: TransferRepresentation
  static var transferRepresentation: Representation { get }
}
public struct DataRepresentation<Item: Transferable>: TransferRepresentation {
  public init(
    exportedContentType: UTType, exporting: @escaping @Sendable (Item) async throws -> Data
  ) {}
}
public struct ReceivedTransferredFile: Sendable { public let file: URL }
public struct SentTransferredFile: Sendable {
  public init(_ file: URL, allowAccessingOriginalFile: Bool = false) {}
}
public struct FileRepresentation<Item: Transferable>: TransferRepresentation {
  public init(
    importedContentType: UTType, shouldAttemptToOpenInPlace: Bool = false,
    importing: @escaping @Sendable (ReceivedTransferredFile) async throws -> Item
  ) {}
  public init(
    exportedContentType: UTType, shouldAllowToOpenInPlace: Bool = false,
    exporting: @escaping @Sendable (Item) async throws -> SentTransferredFile
  ) {}
}
extension String: Transferable {
  public static var transferRepresentation: DataRepresentation<String> { stub() }
}
extension Data: Transferable {
  public static var transferRepresentation: DataRepresentation<Data> { stub() }
}
