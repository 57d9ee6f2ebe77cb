// Compile-only stub of PhotosUI, as documented for iOS 17.
@_exported import SwiftUI

public struct PHPickerFilter: Equatable, Hashable, Sendable {
  public static let images = PHPickerFilter()
  public static let videos = PHPickerFilter()
}

public struct PhotosPickerItem: Equatable, Hashable, Sendable {
  public func loadTransferable<T: Transferable & Sendable>(type: T.Type) async throws -> T? {
    stub()
  }
}

public struct PhotosPicker<Label: View>: View {
  public init(
    selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter? = nil,
    @ViewBuilder label: () -> Label
  ) {}
  public var body: Never { stub() }
}
